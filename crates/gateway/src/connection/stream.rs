//! The client's socket as HTTP sees it: metered, with what was already read given back first, and closed so that the
//! last answer arrives (see [`connection`](seaworthy_core::connection)).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use seaworthy::server::wire;
use seaworthy_core::connection::{Phase, lingers};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::LengthWatch;
use super::state::Connection;
use crate::clock::Ticks;
use crate::socket::Socket;

/// A client's socket.
#[derive(Debug)]
pub(crate) struct ClientStream {
    socket: Socket,
    /// What was read before HTTP began, or was given back by it.
    prefix: Bytes,
    state: Rc<Connection>,
    ticks: Ticks,
    lengths: LengthWatch,
    write_closed: bool,
    /// The tick at which the write side was closed.
    closed: u32,
}

impl ClientStream {
    pub(crate) fn new(socket: Socket, prefix: Bytes, state: Rc<Connection>, ticks: Ticks) -> Self {
        let lengths = LengthWatch::default();
        Self { socket, prefix, state, ticks, lengths, write_closed: false, closed: 0 }
    }

    /// The bare socket and what was not consumed of the prefix.
    pub(crate) fn into_parts(self) -> (Socket, Bytes) {
        (self.socket, self.prefix)
    }

    fn note_write(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(_)) => self.state.write_wait.set(None),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                if self.state.write_wait.get().is_none() {
                    self.state.write_wait.set(Some(self.ticks.now()));
                }
            }
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.prefix.is_empty() {
            ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
        } else {
            let count = this.prefix.len().min(buffer.remaining());
            buffer.put_slice(&this.prefix[..count]);
            this.prefix.advance(count);
        }
        let count = buffer.filled().len() - before;
        if count > 0 {
            this.state.came(count);
            // Of HTTP/2 it means nothing, and there its heads are compressed.
            if this.state.phase() != Phase::Streams {
                this.lengths.read(&buffer.filled()[before..]);
                this.state.length_seen.set(this.lengths.seen() || this.state.length_seen.get());
            }
            if this.state.phase() == Phase::Idle {
                this.state.enter(Phase::Head, this.ticks.now());
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, data);
        this.note_write(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, data);
        this.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // HTTP asks for a flush when its own buffer is empty: after the end of an answer, all of it is with the kernel.
        if self.state.answered.take() && self.state.phase() == Phase::Busy {
            self.state.enter(Phase::Idle, self.ticks.now());
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.write_closed {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            this.write_closed = true;
            this.closed = this.ticks.now();
            // From here the sweep watches the time.
            this.state.enter(Phase::Lingering, this.ticks.now());
        }
        if this.state.given_up.get() {
            return Poll::Ready(Ok(()));
        }
        let now = this.ticks.now();
        wire::poll_discard(Pin::new(&mut this.socket), cx, || {
            if lingers(this.closed, now) {
                this.state.touch(now);
            }
        })
        .map(Ok)
    }
}
