//! The program under rehearsal: started in a group of its own, watched, signalled, and ended with all that it left.
//!
//! Each instance carries a mark in its environment, so that a child that left the group is found too, and
//! nothing that is not ours is ever signalled.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

mod adopted;
pub(crate) mod log;
pub(crate) mod meter;
pub(crate) mod ports;
pub(crate) mod proc;
pub(crate) mod roll;

use adopted::Adopted;
use log::Log;

/// The name of the variable that marks all processes of an instance.
const MARK: &str = "DRILL_INSTANCE";

/// A secret that no answer and no log may show. Planted in each instance.
pub(crate) const CANARY: (&str, &str) = ("DRILL_CANARY_SECRET", "drill-canary-5e0f7a91c3");

/// How instances are started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// `{port}` in an argument is replaced.
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dir: Option<PathBuf>,
}

/// Why an instance is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StartError {
    #[error(
        "{program} cannot be started: {error}; it is looked for in PATH, and from --directory on where it has a slash"
    )]
    Spawn { program: String, error: String },
    #[error(
        "the program ended ({exit}) before it served on port {port}: it must stay in the foreground; arguments follow its name after --, variables are given by --env NAME=VALUE{tail}"
    )]
    Ended { exit: String, port: u16, tail: String },
    #[error(
        "the program did not listen on port {port} within {limit:.0?}{elsewhere}: it gets the port as $PORT; where it needs an argument write {{port}} into it, where the port is fixed give --port{tail}"
    )]
    NotListening { port: u16, limit: Duration, elsewhere: String, tail: String },
    #[error("process {pid} cannot be watched: {error}")]
    Adopt { pid: u32, error: String },
}

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) at: Instant,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "killed by signal {signal}"),
            (None, None) => f.write_str("ended"),
        }
    }
}

/// Who started an instance, and so who may kill it.
#[derive(Debug)]
enum Owner {
    /// The drill. All that is of it carries the mark.
    Drill {
        mark: String,
    },
    Somebody(Adopted),
}

/// A running instance. Dropping one that the drill started kills its group and whatever carries its mark; one that somebody
/// else started is never killed.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) pid: u32,
    pub(crate) port: u16,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    pub(crate) spawned: Instant,
    owner: Owner,
    exit: watch::Receiver<Option<Exit>>,
}

impl Instance {
    /// Starts the program on `port`; returns at once.
    pub(crate) fn spawn(launch: &Launch, port: u16, extra: &[(String, String)]) -> Result<Self, StartError> {
        let argv: Vec<OsString> = launch.argv.iter().map(|argument| with_port(argument, port)).collect();
        let Some((program, arguments)) = argv.split_first() else {
            return Err(StartError::Spawn {
                program: "(nothing)".to_owned(),
                error: "no command was given".to_owned(),
            });
        };
        let mark = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        for name in ["PORT", "SERVER_PORT", "UVICORN_PORT", "FLASK_RUN_PORT", "ASPNETCORE_HTTP_PORTS"] {
            command.env(name, port.to_string());
        }
        // Several instances run side by side: a second listener, for probes and metrics, needs a port of its own as well.
        command.env("ADMIN_PORT", ports::free()?.to_string());
        command.env("HOST", "127.0.0.1").env("PYTHONUNBUFFERED", "1").env(CANARY.0, CANARY.1);
        command.envs(launch.env.iter().map(|(name, value)| (name, value)));
        command.envs(extra.iter().map(|(name, value)| (name, value))).env(MARK, &mark);
        if let Some(dir) = &launch.dir {
            command.current_dir(dir);
        }
        roll::part_from_the_last();
        let mut child = command.spawn().map_err(|error| StartError::Spawn {
            program: program.to_string_lossy().into_owned(),
            error: error.to_string(),
        })?;
        let spawned = Instant::now();
        let pid = child.id();
        let pipes = [child.stdout.as_ref().and_then(inode), child.stderr.as_ref().and_then(inode)];
        roll::enter(pid, &mark, pipes.into_iter().flatten().collect());
        let log = Log::default();
        if let Some(stdout) = child.stdout.take() {
            log.read(log::Stream::Stdout, stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            log.read(log::Stream::Stderr, stderr);
        }
        let (ended, exit) = watch::channel(None);
        // A thread of its own: the wait blocks, and nobody else may take the status.
        std::thread::spawn(move || {
            let status = child.wait().ok();
            let code = status.and_then(|status| status.code());
            let signal = status.and_then(|status| status.signal());
            let _ = ended.send(Some(Exit { code, signal, at: Instant::now() }));
        });
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Ok(Self { pid, port, address, log, spawned, owner: Owner::Drill { mark }, exit })
    }

    /// One that somebody else started: it can be watched and signalled. Its log cannot be read.
    pub(crate) fn adopt(pid: u32, address: SocketAddr) -> Result<Self, StartError> {
        let (adopted, exit) = Adopted::new(pid)?;
        let (port, spawned) = (address.port(), Instant::now());
        Ok(Self { pid, port, address, log: Log::default(), spawned, owner: Owner::Somebody(adopted), exit })
    }

    /// Waits until the port accepts, on IPv4 or IPv6 loopback.
    pub(crate) async fn listening(&mut self, limit: Duration) -> Result<(), StartError> {
        let deadline = self.spawned + limit;
        loop {
            for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                let address = SocketAddr::new(ip, self.port);
                let connected = timeout(Duration::from_secs(1), TcpStream::connect(address)).await;
                if let Ok(Ok(stream)) = connected
                    && stream.local_addr().ok() != Some(address)
                {
                    self.address = address;
                    return Ok(());
                }
            }
            if let Some(exit) = self.exit() {
                // The last lines may still be in the pipe.
                sleep(Duration::from_millis(100)).await;
                return Err(StartError::Ended { exit: exit.to_string(), port: self.port, tail: self.tail() });
            }
            if Instant::now() >= deadline {
                let pids: Vec<u32> = self.processes().iter().map(|process| process.pid).collect();
                let ports = proc::listening_ports(&pids);
                let elsewhere = match ports.as_slice() {
                    [] => ", nor anywhere else".to_owned(),
                    ports => {
                        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                        format!(", but on port {}", ports.join(", "))
                    }
                };
                return Err(StartError::NotListening { port: self.port, limit, elsewhere, tail: self.tail() });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The last lines of its log, for a message.
    pub(crate) fn tail(&self) -> String {
        let lines = self.log.tail(12);
        if lines.is_empty() {
            return "; it wrote nothing".to_owned();
        }
        format!("; its last lines:\n    {}", lines.join("\n    "))
    }

    /// Signals the program itself, as a container runtime does, and not its group. The time of it.
    pub(crate) fn signal(&self, signal: Signal) -> Instant {
        match &self.owner {
            Owner::Somebody(adopted) => adopted.signal(signal),
            Owner::Drill { .. } => {
                if self.exit().is_none()
                    && let Some(pid) = pid(self.pid)
                {
                    let _ = rustix::process::kill_process(pid, signal);
                }
            }
        }
        Instant::now()
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for its exit until `deadline`.
    pub(crate) async fn exited(&self, deadline: Instant) -> Option<Exit> {
        let mut exit = self.exit.clone();
        let wait = deadline.saturating_duration_since(Instant::now());
        let _ = timeout(wait, exit.wait_for(Option::is_some)).await;
        self.exit()
    }

    /// Waits for its exit, and for its last lines.
    pub(crate) async fn ended(&self) -> Exit {
        loop {
            let exit = self.exited(Instant::now() + Duration::from_mins(1)).await;
            if let Some(exit) = exit {
                sleep(Duration::from_millis(100)).await;
                return exit;
            }
        }
    }

    /// What runs of it: its group, and what carries its mark.
    pub(crate) fn processes(&self) -> Vec<proc::Process> {
        match &self.owner {
            Owner::Drill { mark } => proc::of_instance(self.pid, MARK, mark),
            Owner::Somebody(adopted) => adopted.processes(),
        }
    }

    /// Measures from now on how long it is kept from the processors.
    pub(crate) fn meter(&self) -> meter::Meter {
        match &self.owner {
            Owner::Drill { mark } => {
                let (pid, mark) = (self.pid, mark.clone());
                meter::Meter::start(move || pids(&proc::of_instance(pid, MARK, &mark)))
            }
            Owner::Somebody(_) => {
                let pid = self.pid;
                meter::Meter::start(move || pids(&proc::family(pid)))
            }
        }
    }

    /// Kills all of it and waits until it is gone, where the drill started it.
    pub(crate) async fn kill(&self) {
        let Owner::Drill { mark } = &self.owner else { return };
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            end(self.pid, mark);
            if self.exit().is_some() && self.processes().is_empty() || Instant::now() > deadline {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A reader that is held up would keep its thread for ever.
        self.log.resume();
        if let Owner::Drill { mark } = &self.owner {
            end(self.pid, mark);
            roll::leave(mark);
        }
    }
}

/// Kills every instance and waits until all are gone: the drill itself is being ended. Blocks for two seconds at most.
pub(crate) fn end_all() {
    let alive = roll::alive();
    let deadline = Instant::now() + Duration::from_secs(2);
    while alive.iter().map(|(pid, mark)| end(*pid, mark)).sum::<usize>() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    end_strays();
}

/// Kills what instances left behind and no living one claims; what that was. Nothing while an instance is alive.
pub(crate) fn end_strays() -> Vec<proc::Process> {
    if !roll::alive().is_empty() {
        return Vec::new();
    }
    let strays = roll::all_strays();
    kill_all(&strays);
    strays
}

/// Kills what runs of an instance; how many processes that were.
fn end(leader: u32, mark: &str) -> usize {
    let processes = proc::of_instance(leader, MARK, mark);
    kill_all(&processes);
    processes.len()
}

fn kill_all(processes: &[proc::Process]) {
    for pid in processes.iter().filter_map(|process| pid(process.pid)) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn pids(processes: &[proc::Process]) -> Vec<u32> {
    processes.iter().map(|process| process.pid).collect()
}

/// Which pipe it is.
fn inode(pipe: &impl std::os::fd::AsFd) -> Option<u64> {
    rustix::fs::fstat(pipe).ok().map(|stat| stat.st_ino)
}

pub(crate) fn pid(raw: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(raw).ok()?)
}

fn with_port(argument: &OsString, port: u16) -> OsString {
    match argument.to_str() {
        Some(text) if text.contains("{port}") => text.replace("{port}", &port.to_string()).into(),
        _ => argument.clone(),
    }
}
