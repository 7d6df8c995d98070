//! A hello example as a process, for the tests of all of them.
#![allow(clippy::unwrap_used, reason = "it is part of tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes, however loaded the machine is.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that listens. It is killed when this is dropped.
pub(crate) struct Hello {
    child: Child,
    lines: Receiver<String>,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Hello {
    pub(crate) fn start(program: &str) -> Self {
        let mut command = Command::new(program);
        command.env("PORT", "0").env("ADMIN_PORT", "0").env_remove("KUBERNETES_SERVICE_HOST").env_remove("LOG_LEVEL");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let unknown = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut hello = Self { child, lines, public: unknown, admin: unknown };
        let line = hello.line("\"public\":");
        let port = |name: &str| {
            let (_, rest) = line.split_once(&format!("\"{name}\":\"")).unwrap();
            rest.split('"').next().unwrap().parse::<SocketAddr>().unwrap().port()
        };
        (hello.public, hello.admin) =
            ((Ipv4Addr::LOCALHOST, port("public")).into(), (Ipv4Addr::LOCALHOST, port("admin")).into());
        hello
    }

    /// The next line of its log with this in it.
    pub(crate) fn line(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{part} was never said"));
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

/// The whole answer to a request for this path.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: hello\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
