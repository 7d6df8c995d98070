//! Databases as child processes, with a directory of their own.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::until;

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
struct Server {
    port: u16,
    directory: TempDir,
    command: Vec<String>,
    /// What its log says when it serves. Some accept connections before they do.
    sign: &'static str,
    child: Option<Child>,
}

impl Server {
    fn start(directory: TempDir, port: u16, command: &[String], sign: &'static str) -> Self {
        let mut server = Self { port, directory, command: command.to_vec(), sign, child: None };
        server.launch();
        server
    }

    fn launch(&mut self) {
        let (directory, command, sign) = (self.directory.path(), &self.command, self.sign);
        let log = directory.join("server.log");
        let output = std::fs::File::create(&log).expect("it can be written");
        let mut process = Command::new(&command[0]);
        process.args(&command[1..]).current_dir(directory).stdin(Stdio::null());
        process.stdout(output.try_clone().expect("it is open")).stderr(output);
        let child = process.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", command[0]));
        let child = self.child.insert(child);
        until("the server serves", || {
            let ended = child.try_wait().expect("it can be waited for");
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "{command:?}: {said}");
            said.contains(sign).then(|| TcpStream::connect(("127.0.0.1", self.port)).ok()).flatten()
        });
    }

    /// INT ends PostgreSQL with its connections, and the others as well.
    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill_process(Pid::from_child(&child), Signal::INT);
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// PostgreSQL that believes whoever connects.
#[derive(Debug)]
pub(crate) struct PostgreSql(Server);

impl PostgreSql {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let port = free_port();
        give_away(directory.path());
        let data = directory.path().join("data").display().to_string();
        let initdb =
            words(&postgres("initdb"), &["-D", &data, "--auth=trust", "-U", "app", "--no-sync", "--no-instructions"]);
        run(&initdb);
        let sockets = directory.path().display().to_string();
        let port_word = port.to_string();
        let arguments = ["-D", &data, "-p", &port_word, "-k", &sockets, "-h", "127.0.0.1", "-c", "fsync=off"];
        Self(Server::start(directory, port, &words(&postgres("postgres"), &arguments), "ready to accept connections"))
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/postgres", self.0.port)
    }

    pub(crate) fn stop(&mut self) {
        self.0.stop();
    }

    /// As it was, with what it kept.
    #[allow(dead_code, reason = "only the tests of an example, which share this file, want it back")]
    pub(crate) fn start_again(&mut self) {
        self.0.launch();
    }
}

/// Redis without a password.
#[derive(Debug)]
pub(crate) struct Redis(Server);

impl Redis {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let (directory, port) = (tempfile::tempdir().expect("a directory can be made"), free_port());
        let command = ["redis-server", "--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""];
        Self(Server::start(directory, port, &command.map(str::to_owned), "Ready to accept connections"))
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    #[allow(dead_code, reason = "only the tests of an example, which share this file, stop it")]
    pub(crate) fn stop(&mut self) {
        self.0.stop();
    }

    /// As it was, with what it kept.
    #[allow(dead_code, reason = "only the tests of an example, which share this file, want it back")]
    pub(crate) fn start_again(&mut self) {
        self.0.launch();
    }

    /// Runs one command of Redis.
    #[track_caller]
    pub(crate) fn tell(&self, words: &[&str]) {
        let port = self.0.port.to_string();
        let command = [&["redis-cli", "-p", &port][..], words].concat();
        run(&command.into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
}

/// A program of the newest version that Debian has installed.
fn postgres(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let newest = versions.flatten().map(|entry| entry.path()).max().expect("a version of it");
    newest.join("bin").join(name)
}

/// It refuses to run as root, so it runs as whom it was installed for.
fn words(program: &Path, arguments: &[&str]) -> Vec<String> {
    let root = rustix::process::geteuid().is_root();
    let prefix: &[&str] =
        if root { &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] } else { &[] };
    let program = program.display().to_string();
    prefix.iter().copied().chain([program.as_str()]).chain(arguments.iter().copied()).map(str::to_owned).collect()
}

fn give_away(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    if rustix::process::geteuid().is_root() {
        run(&["chown", "postgres:postgres", &path.display().to_string()].map(str::to_owned));
    }
}

#[track_caller]
fn run(command: &[String]) {
    let output = Command::new(&command[0]).args(&command[1..]).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {}: {error}", command[0]));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
