//! The binary under test, as a process.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Answer, Client, Log, children, descendants, get, until};

const BINARY: &str = env!("CARGO_BIN_EXE_seaworthy");

/// Where the programs that stand behind it are.
pub(crate) fn program(name: &str) -> String {
    format!("{}/tests/it/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// How it is started. Listens on free ports of loopback and drains without delay, unless the test says otherwise.
#[derive(Debug)]
pub(crate) struct Starting {
    directory: TempDir,
    /// A file of somebody else's, in place of the one that is written.
    given: Option<PathBuf>,
    config: String,
    drain: String,
    under: Vec<String>,
    environment: Vec<(String, String)>,
    listen: String,
    command: Vec<String>,
}

impl Starting {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory can be made"),
            given: None,
            config: String::new(),
            drain: "delay = \"0s\"\n".to_owned(),
            under: Vec::new(),
            environment: Vec::new(),
            listen: "127.0.0.1:0".to_owned(),
            command: Vec::new(),
        }
    }

    /// Another text in place of one that stands in the files of its directory.
    #[track_caller]
    pub(crate) fn with_each(self, text: &str, other: &str) -> Self {
        let mut found = false;
        for entry in std::fs::read_dir(self.directory()).expect("it is there").flatten() {
            let before = std::fs::read_to_string(entry.path()).expect("it is text");
            found |= before.contains(text);
            std::fs::write(entry.path(), before.replace(text, other)).expect("it can be written");
        }
        assert!(found, "{text:?} stands in none of them");
        self
    }

    /// Without the delay that is for balancers.
    pub(crate) fn drained_at_once(self) -> Self {
        self.variable("SEAWORTHY_DRAIN__DELAY", "0s")
    }

    /// More of the configuration.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// With this configuration, as it is but for the addresses to listen on.
    pub(crate) fn file(self, path: impl Into<PathBuf>) -> Self {
        let named = Self { given: Some(path.into()), ..self };
        named.variable("SEAWORTHY_LISTEN", "127.0.0.1:0").variable("SEAWORTHY_ADMIN", "127.0.0.1:0")
    }

    /// The keys of `[drain]`.
    pub(crate) fn drain(mut self, keys: &str) -> Self {
        self.drain = keys.to_owned() + "\n";
        self
    }

    /// Another program that starts it, as `unshare`.
    pub(crate) fn under(mut self, words: &[&str]) -> Self {
        self.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn listen(mut self, address: impl Display) -> Self {
        self.listen = format!("{address}");
        self
    }

    /// A directory that lives as long as the process.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// With a control socket.
    pub(crate) fn controlled(self) -> Self {
        let line = format!("control = {:?}", self.control().display().to_string());
        self.config(&line)
    }

    fn control(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    fn config_file(&self) -> PathBuf {
        self.given.clone().unwrap_or_else(|| self.directory.path().join("seaworthy.toml"))
    }

    fn write(&self) {
        if self.given.is_some() {
            return;
        }
        std::fs::write(self.config_file(), written(&self.listen, &self.config, &self.drain))
            .expect("the config can be written");
    }

    fn command(&self) -> Command {
        let mut words = self.under.clone();
        words.push(BINARY.to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("run").arg("--config").arg(self.config_file());
        if !self.command.is_empty() {
            command.arg("--").args(&self.command);
        }
        // What the machine of the tests has set must not decide: a platform's variables least of all.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LOG_LEVEL", "debug");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.directory.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it without waiting for anything.
    #[track_caller]
    pub(crate) fn spawn(self) -> Seaworthy {
        self.write();
        let mut child = self.command().spawn().unwrap_or_else(|error| panic!("cannot start {BINARY}: {error}"));
        let log = Log::of(child.stdout.take().expect("it is piped"));
        let errors = Log::of(child.stderr.take().expect("it is piped"));
        let nobody = SocketAddr::from(([127, 0, 0, 1], 0));
        Seaworthy { starting: self, child, log, errors, public: nobody, ops: nobody }
    }

    /// Starts it, and reads nothing of what it writes.
    #[track_caller]
    pub(crate) fn muted(self) -> Seaworthy {
        self.write();
        let child = self.command().spawn().unwrap_or_else(|error| panic!("cannot start {BINARY}: {error}"));
        let nobody = SocketAddr::from(([127, 0, 0, 1], 0));
        Seaworthy { starting: self, child, log: Log::default(), errors: Log::default(), public: nobody, ops: nobody }
    }

    /// Starts it, and waits until it listens.
    #[track_caller]
    pub(crate) fn listening(self) -> Seaworthy {
        let mut seaworthy = self.spawn();
        let banner = seaworthy.log.event("listening");
        let address = |key: &str| {
            let text = banner[key].as_str().unwrap_or_else(|| panic!("no {key} in {banner}"));
            // What is off has no address.
            let text = if text == "off" { "127.0.0.1:0" } else { text };
            text.parse().unwrap_or_else(|error| panic!("{key} {text:?}: {error}"))
        };
        (seaworthy.public, seaworthy.ops) = (address("public"), address("admin"));
        seaworthy
    }

    /// Starts it, and waits until it is ready.
    #[track_caller]
    pub(crate) fn ready(self) -> Seaworthy {
        let seaworthy = self.listening();
        until("it is ready", || (get(seaworthy.ops, "/health/ready").status == 200).then_some(()));
        seaworthy
    }

    /// Starts it, and waits for its end.
    #[track_caller]
    pub(crate) fn exit(self) -> Exit {
        self.spawn().exit()
    }
}

fn written(listen: &str, config: &str, drain: &str) -> String {
    format!("listen = {listen:?}\nadmin = \"127.0.0.1:0\"\n{config}\n[drain]\n{drain}")
}

/// How it ended, with all that it wrote.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
}

impl Exit {
    /// Asserts the code, and shows everything where it is another one.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.output);
        self
    }

    /// Asserts that all of `words` stand in what it wrote.
    #[track_caller]
    pub(crate) fn saying(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.output.contains(word), "{word:?} is not in:\n{}", self.output);
        }
        self
    }
}

/// A running one. Dropped, it is killed, with all that came of it.
#[derive(Debug)]
pub(crate) struct Seaworthy {
    starting: Starting,
    child: Child,
    pub(crate) log: Log,
    errors: Log,
    pub(crate) public: SocketAddr,
    pub(crate) ops: SocketAddr,
}

impl Seaworthy {
    /// In front of a program.
    pub(crate) fn run<W: Into<String>>(command: impl IntoIterator<Item = W>) -> Starting {
        Starting { command: command.into_iter().map(Into::into).collect(), ..Starting::new() }
    }

    /// In front of something that runs already.
    pub(crate) fn before(url: &str) -> Starting {
        Starting::new().config(&format!("upstream = [{{ url = {url:?} }}]"))
    }

    /// With the configuration and the program that a directory holds.
    #[track_caller]
    pub(crate) fn of_directory(directory: &Path) -> Starting {
        let starting = Starting::new();
        for entry in std::fs::read_dir(directory).expect("it is there").flatten() {
            std::fs::copy(entry.path(), starting.directory().join(entry.file_name())).expect("it can be copied");
        }
        // nginx gives up root, and reads here.
        std::fs::set_permissions(starting.directory(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("it is ours");
        let file = starting.directory().join("seaworthy.toml");
        starting.file(file)
    }

    /// In front of the Node program that most tests use.
    pub(crate) fn app() -> Starting {
        Self::run(["node".to_owned(), program("app.js")])
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        get(self.public, target)
    }

    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.public)
    }

    /// Its process: the one that we started, or the one below where that only waits for it.
    pub(crate) fn pid(&self) -> u32 {
        let is_it =
            |pid: &u32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(BINARY));
        let started = self.child.id();
        until("it runs", || std::iter::once(started).chain(children(started)).find(is_it))
    }

    /// The port on which the program behind it listens.
    #[track_caller]
    pub(crate) fn app_address(&self) -> SocketAddr {
        let started = self.log.event("app_started");
        let port = started["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        SocketAddr::from(([127, 0, 0, 1], port.unwrap_or_else(|| panic!("no port in {started}"))))
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(pid, signal).expect("it runs and takes signals");
    }

    /// Writes another configuration; a reload takes it up.
    pub(crate) fn configure(&self, config: &str) {
        let text = written(&self.starting.listen, config, &self.starting.drain);
        std::fs::write(self.starting.config_file(), text).expect("the config can be written");
    }

    /// The metric `name` with exactly these labels, as `{a="b"}`, or 0.
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let exposition = get(self.ops, "/metrics").text();
        let value = exposition.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// Closes the pipe that a muted one writes to.
    pub(crate) fn close_stdout(&mut self) {
        drop(self.child.stdout.take().expect("it is piped, and read by nobody"));
    }

    pub(crate) fn config_path(&self) -> String {
        self.starting.config_file().display().to_string()
    }

    pub(crate) fn control_path(&self) -> String {
        self.starting.control().display().to_string()
    }

    /// Runs a command against it, over its control socket.
    #[track_caller]
    pub(crate) fn tell(&self, words: &[&str]) -> Exit {
        let mut command = Command::new(BINARY);
        command.env_clear().env("SEAWORTHY_CONTROL", self.starting.control()).args(words).stdin(Stdio::null());
        let told = command.output().unwrap_or_else(|error| panic!("cannot start {BINARY}: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Exit { code: told.status.code(), output: text(&told.stdout) + &text(&told.stderr) }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn exit(mut self) -> Exit {
        let (log, errors) = (self.log.clone(), self.errors.clone());
        let code = until("it ended", || {
            let status = self.child.try_wait().expect("it can be waited for")?;
            Some(status.code())
        });
        Exit { code, output: format!("{}\n{}", log.all(), errors.all()) }
    }

    /// Asks it to stop, and waits for its end.
    #[track_caller]
    pub(crate) fn stop(self) -> Exit {
        self.signal(Signal::TERM);
        self.exit()
    }
}

impl Drop for Seaworthy {
    fn drop(&mut self) {
        let below = descendants(self.child.id());
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if std::thread::panicking() {
            eprintln!("-- what it wrote:\n{}\n{}", self.log.so_far(), self.errors.so_far());
        }
        // It first, so that it starts nothing anew.
        let _ = self.child.kill();
        for pid in below.into_iter().filter_map(|pid| i32::try_from(pid).ok()).filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
