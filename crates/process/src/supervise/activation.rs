//! Sockets that systemd listens on for us: `sd_listen_fds(3)`.

use std::env;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use rustix::net::sockopt;

/// A listening socket, TCP or unix.
#[derive(Debug)]
pub(crate) struct HandedOver {
    pub(crate) socket: OwnedFd,
    /// `FileDescriptorName=` of the socket unit; by default the name of that unit.
    pub(crate) name: Option<String>,
}

/// Why a descriptor cannot be listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("socket {number} of LISTEN_FDS ({name}) does not listen for streams: use ListenStream= and Accept=no")]
pub(crate) struct NoListener {
    /// From 1.
    number: usize,
    name: String,
}

/// The sockets that were handed over to this process, in their order. None the second time.
///
/// Call it first thing in `main`: it takes variables out of the environment, which no other thread may read meanwhile.
pub(crate) fn handed_over() -> Result<Vec<HandedOver>, NoListener> {
    // Without our own number they are another process's, and so are the descriptors, if there are any.
    if env::var("LISTEN_PID").ok().and_then(|pid| pid.parse().ok()) != Some(std::process::id()) {
        return Ok(Vec::new());
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(|name| Some(name).filter(|name| !name.is_empty()).map(str::to_owned));
    let mut descriptors = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..descriptors.len() {
        let name = names.next().flatten();
        let tcp = descriptors.take_tcp_listener(index).ok().flatten().map(OwnedFd::from);
        let socket = tcp.or_else(|| descriptors.take_unix_listener(index).ok().flatten().map(OwnedFd::from));
        let listens = |socket: &OwnedFd| sockopt::socket_acceptconn(socket).unwrap_or(false);
        let refused = || NoListener { number: index + 1, name: name.clone().unwrap_or_else(|| "unnamed".to_owned()) };
        let socket = socket.filter(listens).ok_or_else(refused)?;
        sockets.push(HandedOver { socket, name });
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};

    /// Set in the process that is handed something: descriptors have fixed numbers, so it must be a fresh one.
    const INSIDE: &str = "SEAWORTHY_TEST_HANDED_OVER";

    /// Runs `test` again in a process that has `socket` as its descriptor 3.
    fn hand_over(socket: OwnedFd, test: &str) -> String {
        let script = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=public; exec \"$@\"";
        let test = format!("supervise::activation::tests::{test}");
        let own = env::current_exe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", own.to_str().unwrap(), &test, "--exact", "--nocapture"]);
        let output = command.env(INSIDE, "1").stdin(Stdio::from(socket)).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn a_listening_socket_comes_with_its_name_and_is_kept_from_children() {
        if env::var_os(INSIDE).is_none() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let said = hand_over(listener.into(), "a_listening_socket_comes_with_its_name_and_is_kept_from_children");
            assert!(said.contains("accepted public"), "{said}");
            return;
        }
        let mut sockets = handed_over().unwrap();
        let HandedOver { socket, name } = sockets.pop().unwrap();
        let flags = rustix::io::fcntl_getfd(socket.as_fd()).unwrap();
        assert!(sockets.is_empty() && flags.contains(rustix::io::FdFlags::CLOEXEC));
        TcpListener::from(socket).accept().unwrap();
        assert!(handed_over().unwrap().is_empty());
        println!("accepted {}", name.unwrap());
    }

    #[test]
    fn what_does_not_listen_is_refused_by_number_and_name() {
        if env::var_os(INSIDE).is_none() {
            let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
            let said = hand_over(datagrams.into(), "what_does_not_listen_is_refused_by_number_and_name");
            assert!(said.contains("socket 1 of LISTEN_FDS (public) does not listen for streams"), "{said}");
            return;
        }
        println!("{}", handed_over().unwrap_err());
    }
}
