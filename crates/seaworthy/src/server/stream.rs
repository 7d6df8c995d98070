//! A client's socket as HTTP sees it: with what was already read given back first, with an end where an order asks for one,
//! and closed so that the last answer arrives (see [`connection`](seaworthy_core::connection)).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use seaworthy_core::connection::{Phase, lingers, time_out};
use seaworthy_core::refusal::Reason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::socket::Socket;
use super::state::Connection;
use super::tunnel::Goodbye;
use super::{Shared, wire};

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) state: Arc<Connection>,
    shared: Arc<Shared>,
    key: usize,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    pub(super) fn new(shared: Arc<Shared>, state: Connection, permit: OwnedSemaphorePermit) -> Self {
        let state = Arc::new(state);
        let key = shared.registry.add(state.clone());
        Self { state, shared, key, _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.state.is_websocket() {
            self.shared.counts.websocket_ended(self.state.is_cut());
        }
        self.shared.registry.remove(self.key);
    }
}

/// A client's socket. After an upgrade the service owns it.
#[derive(Debug)]
pub(super) struct ClientStream {
    socket: Socket,
    /// What was read before HTTP began.
    prefix: Bytes,
    open: Open,
    goodbye: Goodbye,
    write_closed: bool,
    /// The tick at which the write side was closed.
    closed: u32,
}

impl ClientStream {
    pub(super) fn new(socket: Socket, open: Open) -> Self {
        Self { socket, prefix: Bytes::new(), open, goodbye: Goodbye::default(), write_closed: false, closed: 0 }
    }

    /// Gives back what was read.
    pub(super) fn unread(&mut self, prefix: Bytes) {
        self.prefix = prefix;
    }

    pub(super) fn state(&self) -> &Arc<Connection> {
        &self.open.state
    }

    fn now(&self) -> u32 {
        self.open.shared.registry.now()
    }

    /// What to do where there is nothing to read. The waker stands already, so that no order is missed.
    fn nothing_to_read(&mut self) -> Poll<io::Result<()>> {
        let state = &self.open.state;
        if state.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        match state.phase() {
            Phase::Idle if state.closes_if_idle() => Poll::Ready(Ok(())),
            Phase::Head if state.is_timed_out() => {
                let (problem, status) = ("the request head took too long to arrive", Reason::RequestTooSlow.status());
                self.open.shared.client_error(state, problem, status);
                // A client that sends so slowly may not read either; what fits into the socket's buffer is enough.
                let _ = self.socket.try_write(time_out().as_bytes());
                Poll::Ready(Ok(()))
            }
            Phase::Tunnel if state.leaves() && state.is_websocket() => {
                self.say_goodbye();
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    }

    fn say_goodbye(&mut self) {
        let before = self.goodbye.said();
        if self.goodbye.say(&self.socket) && !before {
            self.open.state.part(self.now());
        }
    }

    fn note_write(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(_)) => self.open.state.unblock(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.open.state.block(self.now()),
        }
    }

    /// A write of the service into a WebSocket.
    fn poll_write_frames(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.open.state.writer.register(cx.waker());
        if self.open.state.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let leaving = self.open.state.leaves();
        if leaving {
            self.say_goodbye();
        }
        if self.goodbye.said() {
            return Poll::Ready(Ok(data.len()));
        }
        let room = self.goodbye.room(data, leaving);
        let written = Pin::new(&mut self.socket).poll_write(cx, &data[..room]);
        self.note_write(&written);
        let count = ready!(written)?;
        self.goodbye.wrote(&data[..count]);
        if leaving {
            self.say_goodbye();
        }
        Poll::Ready(Ok(count))
    }

    fn in_websocket(&self) -> bool {
        self.open.state.phase() == Phase::Tunnel && self.open.state.is_websocket()
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.prefix.is_empty() {
            let count = this.prefix.len().min(buffer.remaining());
            buffer.put_slice(&this.prefix[..count]);
            this.prefix.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.socket).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                let came = buffer.filled().len() - before;
                if came > 0 {
                    this.open.state.came(came);
                    match this.open.state.phase() {
                        Phase::Idle => this.open.state.enter(Phase::Head, this.now()),
                        Phase::Streams => this.open.state.touch(this.now()),
                        _ => {}
                    }
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                this.open.state.reader.register(cx.waker());
                this.nothing_to_read()
            }
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.in_websocket() {
            return this.poll_write_frames(cx, data);
        }
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
        if this.in_websocket() {
            let first = data.iter().find(|slice| !slice.is_empty());
            return first.map_or(Poll::Ready(Ok(0)), |slice| this.poll_write_frames(cx, slice));
        }
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, data);
        this.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // HTTP asks for a flush when its own buffer is empty: after the end of an answer, all of it is with the kernel.
        self.open.state.flushed(self.now());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.write_closed {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            this.write_closed = true;
            this.closed = this.now();
            if this.open.state.phase() == Phase::Tunnel {
                // The service closes it, and knows what it still waits for.
                return Poll::Ready(Ok(()));
            }
            // From here the sweep watches the time.
            this.open.state.enter(Phase::Lingering, this.now());
        }
        if this.open.state.phase() == Phase::Tunnel {
            return Poll::Ready(Ok(()));
        }
        // HTTP ends by itself then, and says what was wrong: whoever leaves its refused connection open is reported too.
        if this.open.state.is_cut() {
            return Poll::Ready(Ok(()));
        }
        let now = this.now();
        wire::poll_discard(Pin::new(&mut this.socket), cx, || {
            if lingers(this.closed, now) {
                this.open.state.touch(now);
            }
        })
        .map(Ok)
    }
}
