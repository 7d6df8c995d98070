//! Binds what the public is served on.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// Connections that wait to be accepted. The kernel caps it at `net.core.somaxconn`, which is 4096.
const BACKLOG: i32 = 4096;

/// A listening socket that belongs to no runtime yet.
#[derive(Debug)]
pub struct Listener {
    pub fd: OwnedFd,
    pub kind: Kind,
    pub bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tcp,
    Unix,
}

/// What was bound: port 0 has become a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{address} is in use{holder}: stop that, or choose another address with --listen")]
    InUse { address: String, holder: String },
    #[error("{address} cannot be listened on: {source}")]
    Other { address: String, source: io::Error },
}

impl Listener {
    /// Listens on a TCP address.
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let listener = bind_tcp(address).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address: address.to_string(), holder: holder_of(address) },
            _ => BindError::Other { address: address.to_string(), source },
        })?;
        let bound = listener.local_addr().unwrap_or(address);
        Ok(Self { fd: listener.into(), kind: Kind::Tcp, bound: Bound::Tcp(bound) })
    }

    /// Listens on a unix socket. One that a dead process left is replaced.
    pub fn unix(path: &Path) -> Result<Self, BindError> {
        let other = |source| BindError::Other { address: format!("unix:{}", path.display()), source };
        if path.exists() {
            if UnixStream::connect(path).is_ok() {
                let holder = " by another process".to_owned();
                return Err(BindError::InUse { address: format!("unix:{}", path.display()), holder });
            }
            std::fs::remove_file(path).map_err(other)?;
        }
        let listener = UnixListener::bind(path).map_err(other)?;
        listener.set_nonblocking(true).map_err(other)?;
        Ok(Self { fd: listener.into(), kind: Kind::Unix, bound: Bound::Unix(path.to_owned()) })
    }

    /// Takes over a socket that somebody else bound: systemd, or the process before us.
    pub fn inherited(fd: OwnedFd) -> Result<Self, BindError> {
        let other = |source: io::Error| BindError::Other { address: "the inherited socket".to_owned(), source };
        rustix::io::ioctl_fionbio(&fd, true).map_err(|error| other(error.into()))?;
        let family = rustix::net::getsockname(&fd).map_err(|error| other(error.into()))?.address_family();
        if family == AddressFamily::UNIX {
            let listener = UnixListener::from(fd);
            let path = listener.local_addr().ok().and_then(|address| address.as_pathname().map(Path::to_owned));
            let bound = Bound::Unix(path.unwrap_or_default());
            return Ok(Self { fd: listener.into(), kind: Kind::Unix, bound });
        }
        let listener = TcpListener::from(fd);
        let bound = listener.local_addr().map_err(other)?;
        Ok(Self { fd: listener.into(), kind: Kind::Tcp, bound: Bound::Tcp(bound) })
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Without it a restart has to wait for the connections of the process before to leave TIME_WAIT.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// ` by PROGRAM (pid N)`, where /proc tells it.
fn holder_of(address: SocketAddr) -> String {
    crate::sockets::holder_of(address.port()).map_or_else(String::new, |holder| format!(" by {holder}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_refused_with_the_name_of_its_holder() {
        let first = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let Bound::Tcp(address) = first.bound else { panic!("a TCP address") };
        let refused = Listener::tcp(address).unwrap_err().to_string();
        assert!(refused.contains(&format!("{address} is in use by")), "{refused}");
        assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
    }

    #[test]
    fn a_socket_that_a_dead_process_left_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        drop(UnixListener::bind(&path).unwrap());
        let listener = Listener::unix(&path).unwrap();
        assert!(matches!(Listener::unix(&path), Err(BindError::InUse { .. })));
        drop(listener);
    }
}
