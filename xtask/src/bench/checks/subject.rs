//! What is measured: Seaworthy with a configuration of its own, and servers to check.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::super::peer::{PEER_CORE, Setup, cpu_of, free_port, status_of};

/// A process that is ended with this value.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    fn start(name: &'static str, command: &mut Command, directory: &Path) -> Result<Self> {
        let log = File::create(directory.join(format!("{name}.out")))?;
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        Ok(Self { name, child: command.spawn().with_context(|| format!("cannot start {name}"))? })
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process has a number")?;
        Ok(kill_process(pid, signal)?)
    }

    /// User and system time so far.
    pub(super) fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// The most that was resident so far, in bytes.
    pub(super) fn peak(&self) -> u64 {
        status_of(self.child.id(), "VmHWM:")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be stopped; then it would not hear that it shall end.
        let told = self.signal(Signal::CONT).and_then(|()| self.signal(Signal::TERM));
        if told.is_err() || self.child.wait().is_err() {
            eprintln!("{} may still run: process {}", self.name, self.child.id());
        }
    }
}

/// Seaworthy with `config` on its own core, and the port of its probes. It has answered one.
pub(super) fn seaworthy(config: &str, setup: &Setup) -> Result<(Process, u16)> {
    let admin = free_port()?;
    let file = setup.directory.join("checks.toml");
    fs::write(&file, format!("admin = \"127.0.0.1:{admin}\"\ncontrol = \"off\"\n{config}"))?;
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", PEER_CORE]).arg(&setup.binary).args(["run", "--config"]).arg(&file);
    let process = Process::start("seaworthy", &mut command, &setup.directory)?;
    wait("the probes", || probe(admin, "/health/live").is_ok_and(|status| status == 200))?;
    Ok((process, admin))
}

/// Redis, and its port.
pub(super) fn redis(setup: &Setup) -> Result<(Process, u16)> {
    let port = free_port()?;
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    let process = Process::start("redis", &mut command, &setup.directory)?;
    wait("Redis", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok((process, port))
}

/// Waits until `holds`.
pub(super) fn wait(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        if Instant::now() > deadline {
            bail!("{what}: not within 20 s");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The status of a probe, over a connection of its own.
pub(super) fn probe(port: u16, path: &str) -> std::io::Result<u16> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}
