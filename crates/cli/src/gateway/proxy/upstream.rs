//! Where requests are forwarded to, and the sockets that lead there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::gateway::socket::Socket;

/// Where a program listens. Clones share the name.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) address: Address,
    /// As it stands in logs and metrics.
    pub(crate) name: Arc<str>,
    pub(crate) protocol: Protocol,
}

/// An address that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
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
    pub(crate) fn new(address: Address, protocol: Protocol) -> Self {
        Self { name: address.to_string().into(), address, protocol }
    }

    pub(crate) async fn connect(&self) -> io::Result<Socket> {
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

/// A socket to the upstream that the pool can look into while HTTP owns it.
///
/// A write that fails is not the end: a program that answers early and closes makes our writing fail while its answer
/// waits to be read. So a failed write is taken for done, and reading decides.
#[derive(Debug)]
pub(crate) struct UpstreamStream {
    socket: Rc<Socket>,
    write_failed: bool,
}

impl UpstreamStream {
    pub(crate) fn new(socket: Rc<Socket>) -> Self {
        Self { socket, write_failed: false }
    }

    fn written(&mut self, written: Option<usize>, offered: usize) -> Poll<io::Result<usize>> {
        self.write_failed |= written.is_none();
        Poll::Ready(Ok(written.unwrap_or(offered)))
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_receive(cx, buffer)
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.write_failed {
            return Poll::Ready(Ok(data.len()));
        }
        let result = ready!(this.socket.poll_send(cx, data));
        this.written(result.ok(), data.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let offered = data.iter().map(|slice| slice.len()).sum();
        if this.write_failed {
            return Poll::Ready(Ok(offered));
        }
        let result = ready!(this.socket.poll_send_pieces(cx, data));
        this.written(result.ok(), offered)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The drop of the socket closes it; there is nobody left to read what would follow.
        Poll::Ready(Ok(()))
    }
}
