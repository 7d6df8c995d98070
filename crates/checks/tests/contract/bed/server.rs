//! A real server as a child process, with a directory of its own.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::until;

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// How a server is ended, with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// INT is what does that to PostgreSQL, and to most others as well.
    By(Signal),
    /// Everything that came of it at once: what takes its time to stop, and loses nothing by it.
    Kill,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    end: End,
    directory: TempDir,
    command: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// `prepare` gets the directory and the port, and gives the command that runs the server in the foreground.
    pub(crate) async fn start(prepare: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        Self::ended(End::By(Signal::INT), prepare).await
    }

    /// The same, where another end is needed.
    pub(crate) async fn ended(end: End, prepare: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let directory = tempfile::Builder::new().prefix("seaworthy-").tempdir().unwrap();
        let port = free_port();
        let command = prepare(directory.path(), port);
        let mut server = Self { port, end, directory, command, child: None };
        server.up().await;
        server
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Ends the server, with its connections.
    pub(crate) fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = rustix::process::Pid::from_child(&child);
            let _ = match self.end {
                End::By(signal) => rustix::process::kill_process(pid, signal),
                End::Kill => rustix::process::kill_process_group(pid, Signal::KILL),
            };
            let _ = child.wait();
        }
    }

    /// Starts it again, where it was, and waits until it accepts connections.
    pub(crate) async fn up(&mut self) {
        let log = std::fs::File::create(self.path("server.log")).unwrap();
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).current_dir(self.directory.path()).stdin(Stdio::null());
        if self.end == End::Kill {
            command.process_group(0);
        }
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.command[0])));
        let port = self.port;
        let log = self.path("server.log");
        let child = self.child.as_mut().unwrap();
        until("the server accepts connections", async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}
