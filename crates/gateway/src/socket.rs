//! A TCP or a unix stream: the two ways in, and the two ways on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::BufMut;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected stream.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What is waiting to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Nothing,
    Bytes,
    /// The other end closed, or the connection broke.
    End,
}

impl Socket {
    /// Whether the kernel has told of anything to read, or of the end. No system call; what came in this very moment is
    /// not known yet. Nobody is woken for it any more: whoever waits has to ask again.
    pub fn has_news(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(&mut cx).is_ready(),
            Self::Unix(stream) => stream.poll_read_ready(&mut cx).is_ready(),
        }
    }

    /// Looks into the receive buffer without taking anything out. One system call.
    pub fn peek(&self) -> Waiting {
        let mut byte = [0; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let received = match self {
            Self::Tcp(stream) => rustix::net::recv(stream, &mut byte, flags),
            Self::Unix(stream) => rustix::net::recv(stream, &mut byte, flags),
        };
        match received {
            Ok((0, _)) => Waiting::End,
            Ok(_) => Waiting::Bytes,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Waiting::Nothing,
            Err(_) => Waiting::End,
        }
    }
}

/// Pieces that are smaller than this together are copied into one: that costs less than a system call that gathers.
const GATHER_FROM: usize = 2048;

/// Joins `pieces` where they are small, and gives what is to be written to `write` or `gather`.
fn joined<T>(pieces: &[IoSlice<'_>], write: impl FnOnce(&[u8]) -> T, gather: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    if let [piece] = pieces {
        return write(piece);
    }
    if total > GATHER_FROM {
        return gather(pieces);
    }
    let mut whole = [0; GATHER_FROM];
    let mut end = 0;
    for piece in pieces {
        whole[end..end + piece.len()].copy_from_slice(piece);
        end += piece.len();
    }
    write(&whole[..end])
}

/// Calls a method of whichever stream it is, until it is not in vain.
macro_rules! ready_io {
    ($socket:expr, $cx:expr, $ready:ident, $stream:ident => $attempt:expr) => {
        match $socket {
            Socket::Tcp($stream) => loop {
                ready!($stream.$ready($cx))?;
                match $attempt {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => break Poll::Ready(result),
                }
            },
            Socket::Unix($stream) => loop {
                ready!($stream.$ready($cx))?;
                match $attempt {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => break Poll::Ready(result),
                }
            },
        }
    };
}

impl Socket {
    /// Reads what is there; 0 is the end. A read that was not filled has emptied the socket, and is taken as the notice of
    /// that: the next one waits for the kernel's word instead of asking in vain, which saves a system call a request.
    pub fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut impl BufMut) -> Poll<io::Result<usize>> {
        let room = buffer.chunk_mut().len();
        let received = ready!(ready_io!(self, cx, poll_read_ready, stream => stream.try_read_buf(buffer)))?;
        if 0 < received && received < room {
            let empty = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            // Clears the readiness, and cannot succeed.
            let _ = match self {
                Self::Tcp(stream) => stream.try_io(Interest::READABLE, empty),
                Self::Unix(stream) => stream.try_io(Interest::READABLE, empty),
            };
        }
        Poll::Ready(Ok(received))
    }

    pub fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready_io!(self, cx, poll_write_ready, stream => stream.try_write(data))
    }

    pub fn poll_send_pieces(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready_io!(self, cx, poll_write_ready, stream => {
            joined(pieces, |whole| stream.try_write(whole), |pieces| stream.try_write_vectored(pieces))
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_receive(cx, buffer).map_ok(drop)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send_pieces(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Neither kind buffers.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
