//! Where requests are forwarded to, and the sockets that lead there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpStream, UnixStream};

use crate::socket::Socket;

/// Where a program listens. Clones share the name.
#[derive(Debug, Clone)]
pub struct Upstream {
    pub address: Address,
    /// As it stands in logs and metrics.
    pub name: Arc<str>,
    pub protocol: Protocol,
}

/// An address that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, and HTTP/2 for gRPC that came over HTTP/2: it cannot pass otherwise.
    Auto,
    Http1,
    /// HTTP/2 with prior knowledge.
    H2c,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Upstream {
    pub fn new(address: Address, protocol: Protocol) -> Self {
        Self { name: address.to_string().into(), address, protocol }
    }

    pub async fn connect(&self) -> io::Result<Socket> {
        match &self.address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            Address::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix),
        }
    }
}
