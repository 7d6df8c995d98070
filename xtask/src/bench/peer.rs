//! The proxies that are compared, as processes: how each is started, what it has spent, how it is stopped.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::command;

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Origin,
    Seaworthy,
    /// With two workers.
    Two,
    Nginx,
    Haproxy,
    Relay,
}

impl Kind {
    /// Those that are compared.
    pub(super) const PEERS: &[Self] = &[Self::Seaworthy, Self::Nginx, Self::Haproxy, Self::Relay];

    /// Ours, with one worker and with two.
    pub(super) const WORKERS: &[Self] = &[Self::Seaworthy, Self::Two];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Seaworthy => "seaworthy",
            Self::Two => "two",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Relay => "relay",
        }
    }

    /// Its file in `xtask/bench`.
    fn template(self) -> &'static str {
        match self {
            Self::Origin => "origin.conf",
            Self::Seaworthy | Self::Two => "seaworthy.toml",
            Self::Nginx => "nginx.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Relay => "relay.cfg",
        }
    }

    fn command(self, setup: &Setup, config: &Path) -> Command {
        let (program, before): (&Path, &[&str]) = match self {
            Self::Seaworthy | Self::Two => (&setup.binary, &["run", "--config"]),
            Self::Origin | Self::Nginx => (Path::new("nginx"), &["-c"]),
            Self::Haproxy | Self::Relay => (Path::new("haproxy"), &["-f"]),
        };
        let core = match self {
            Self::Origin => load_core(),
            Self::Two => TWO_CORES,
            _ => PEER_CORE,
        };
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", core]).arg(program).args(before).arg(config);
        command
    }
}

/// The core of the proxies. One at a time works, so one is enough for all.
pub(super) const PEER_CORE: &str = "0";
const TWO_CORES: &str = "0,1";

/// The core of the load and the origin: another one, where there is another.
pub(super) fn load_core() -> &'static str {
    static CORE: OnceLock<&str> = OnceLock::new();
    CORE.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if cores > 1 { "1" } else { "0" }
    })
}

/// What all peers have in common.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) binary: PathBuf,
    pub(super) directory: PathBuf,
    origin: u16,
}

impl Setup {
    /// Makes the files that the origin serves.
    pub(super) fn new(binary: &Path, directory: &Path) -> Result<Self> {
        let files = directory.join("files");
        fs::create_dir(&files)?;
        fs::write(files.join("16KiB"), vec![b'a'; 16 * 1024])?;
        fs::write(files.join("1MiB"), vec![b'a'; 1024 * 1024])?;
        Ok(Self { binary: binary.to_owned(), directory: directory.to_owned(), origin: free_port()? })
    }

    /// Writes the configuration of `kind` for `port`, and says where.
    pub(super) fn configure(&self, kind: Kind, port: u16) -> Result<PathBuf> {
        let template = command::root().join("xtask/bench").join(kind.template());
        let text = fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
        let values = [("PORT", port), ("ORIGIN", self.origin), ("ADMIN", free_port()?)];
        let text = text.replace("@DIR@", &self.directory.to_string_lossy());
        let text = text.replace("@WORKERS@", if kind == Kind::Two { "2" } else { "1" });
        let text = values.iter().fold(text, |text, (name, port)| text.replace(&format!("@{name}@"), &port.to_string()));
        let config = self.directory.join(format!("{}-{}", kind.name(), kind.template()));
        fs::write(&config, text)?;
        Ok(config)
    }
}

/// A peer that runs. Dropped, it is stopped.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) kind: Kind,
    port: u16,
    child: Child,
    /// Resident before the load, in bytes.
    pub(super) idle: u64,
}

impl Peer {
    /// Starts it, and waits until it answers.
    pub(super) fn start(kind: Kind, setup: &Setup) -> Result<Self> {
        let port = if kind == Kind::Origin { setup.origin } else { free_port()? };
        let config = setup.configure(kind, port)?;
        // Logs go to files: a terminal would be the slowest part of every peer.
        let log = File::create(setup.directory.join(format!("{}.out", kind.name())))?;
        let mut command = kind.command(setup, &config);
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", kind.name()))?;
        let mut peer = Self { kind, port, child, idle: 0 };
        peer.wait(setup)?;
        peer.idle = peer.memory("VmRSS:");
        Ok(peer)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn wait(&mut self, setup: &Setup) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !answers(self.port) {
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(setup.directory.join(format!("{}.out", self.kind.name())))?;
                bail!("{} ended with {status}: {}", self.kind.name(), said.trim());
            }
            if Instant::now() > deadline {
                bail!("{} did not answer on port {} within 10 s", self.kind.name(), self.port);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// User and system time of all its processes.
    pub(super) fn cpu(&self) -> Duration {
        self.processes().iter().map(|pid| cpu_of(*pid)).sum()
    }

    /// The most that it ever had resident, in bytes.
    pub(super) fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> u64 {
        self.processes().iter().map(|pid| status_of(*pid, field)).sum()
    }

    /// Its process, and all that came of it.
    fn processes(&self) -> Vec<u32> {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let parents: HashMap<u32, u64> = pids.filter_map(|pid| Some((pid, stat(pid)?[1]))).collect();
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(parents.iter().filter(|(_, of)| **of == u64::from(parent)).map(|(pid, _)| *pid));
            next += 1;
        }
        found
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // TERM and not KILL: nginx would leave its workers behind.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let told = pid.map(|pid| kill_process(pid, Signal::TERM));
        if !matches!(told, Some(Ok(()))) || self.child.wait().is_err() {
            eprintln!("{} may still run: process {}", self.kind.name(), self.child.id());
        }
    }
}

/// User and system time of a process; nothing of one that is gone.
pub(super) fn cpu_of(pid: u32) -> Duration {
    // Fields 14 and 15, counted after the name, which may contain anything.
    let ticks = stat(pid).map_or(0, |stat| stat[11] + stat[12]);
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// A size in `/proc/PID/status`, in bytes; 0 of a process that is gone.
pub(super) fn status_of(pid: u32, field: &str) -> u64 {
    let read = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    read().unwrap_or(0) * 1024
}

/// The numbers of `/proc/PID/stat` from the third field on; the state, which is a letter, is 0.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let numbers: Vec<u64> = fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    (numbers.len() > 12).then_some(numbers)
}

/// A port that nobody has now.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no port is free")?.local_addr()?.port())
}

/// Whether `GET /` on `port` is answered 200.
pub(super) fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
