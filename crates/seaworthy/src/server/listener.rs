//! What a service listens on.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::socket::Socket;

/// A listening socket: TCP or unix. Made from those of tokio, or of the standard library where a service manager handed one
/// over.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A socket that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenerError {
    pub(crate) address: String,
    #[source]
    pub(crate) source: io::Error,
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Kind::Tcp(listener))
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(Kind::Unix(listener))
    }
}

/// Needs a tokio runtime.
impl TryFrom<std::net::TcpListener> for Listener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self::from)
    }
}

impl Listener {
    /// The address, for TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match &self.0 {
            Kind::Tcp(listener) => listener.accept().await.map(|(stream, peer)| tcp(stream, peer)),
            Kind::Unix(listener) => listener.accept().await.map(|(stream, _)| (Socket::Unix(stream), None)),
        }
    }

    /// Closes the listener, and gives the connections that were waiting to be accepted: their clients believe in them.
    pub(super) fn close(self) -> Vec<(Socket, Option<SocketAddr>)> {
        // By the socket itself rather than by tokio, which would ask only if it had heard of news.
        let mut waiting = Vec::new();
        match self.0 {
            Kind::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else { return waiting };
                while let Ok((stream, peer)) = listener.accept() {
                    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    waiting.extend(stream.map(|stream| tcp(stream, peer)));
                }
            }
            Kind::Unix(listener) => {
                let Ok(listener) = listener.into_std() else { return waiting };
                while let Ok((stream, _)) = listener.accept() {
                    let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
                    waiting.extend(stream.map(|stream| (Socket::Unix(stream), None)));
                }
            }
        }
        waiting
    }
}

fn tcp(stream: TcpStream, peer: SocketAddr) -> (Socket, Option<SocketAddr>) {
    // Without it the end of an answer may wait for an acknowledgement; the answer is right all the same.
    let _ = stream.set_nodelay(true);
    (Socket::Tcp(stream), Some(peer))
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.local_addr()) {
            (Kind::Tcp(_), Some(address)) => address.fmt(f),
            (Kind::Tcp(_), None) => f.write_str("tcp"),
            (Kind::Unix(listener), _) => match listener.local_addr() {
                Ok(address) if address.as_pathname().is_some() => {
                    write!(f, "unix:{}", address.as_pathname().unwrap_or("".as_ref()).display())
                }
                _ => f.write_str("unix"),
            },
        }
    }
}
