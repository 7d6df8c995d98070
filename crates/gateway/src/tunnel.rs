//! A WebSocket between client and program: bytes both ways, and a goodbye between two frames.
//!
//! # Rules
//!
//! - Bytes pass as they come; only the headers of frames are looked at. A tunnel that is idle holds no buffer.
//! - Told to leave, it lets the frame that is under way end, says 1001 to both ends, and closes when the client has
//!   answered, or after [`PATIENCE`]. What is stuck in mid-frame is cut at the deadline of the drain with nothing put
//!   in: half a frame and a close frame would be read as one whole frame of garbage.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use seaworthy_core::websocket::{self, Frames};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::clock::Ticks;
use super::connection::state::{Connection, Order, Phase};
use super::observer::UpstreamOpen;
use super::socket::Socket;

/// How long the client may take to answer a close frame.
const PATIENCE: Duration = Duration::from_secs(2);

/// The program's end of a WebSocket, ready to be tied to the client's.
#[derive(Debug)]
pub(crate) struct UpstreamHalf {
    pub(crate) socket: Socket,
    /// What the program sent right after its 101.
    pub(crate) sent: Bytes,
    pub(crate) open: UpstreamOpen,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// One of the ends closed it.
    Closed,
    /// We did, and said so between two frames.
    Left,
    /// We did, at a deadline.
    Cut,
}

/// Ties the two ends together until one closes, or we have to leave.
pub(crate) async fn run(
    client: Socket,
    received: Bytes,
    upstream: UpstreamHalf,
    state: &Connection,
    ticks: &Ticks,
) -> Ending {
    state.enter(Phase::Tunnel, ticks.now());
    let UpstreamHalf { socket, sent, open: _open, permit: _permit } = upstream;
    let mut tunnel =
        Tunnel { client, upstream: socket, down: Direction::with(sent), up: Direction::with(received), leaving: false };
    let mut deadline: Option<Pin<Box<tokio::time::Sleep>>> = None;
    poll_fn(|cx| {
        state.listen(cx.waker());
        match state.take_order() {
            Some(Order::Cut | Order::TimeOut) => return Poll::Ready(Ending::Cut),
            Some(Order::Leave) => tunnel.leaving = true,
            Some(Order::CloseIfIdle) | None => {}
        }
        let before = (tunnel.down.passed, tunnel.up.passed);
        let ended = tunnel.poll(cx);
        if before != (tunnel.down.passed, tunnel.up.passed) {
            state.touch(ticks.now());
        }
        if let Poll::Ready(ending) = ended {
            return Poll::Ready(ending);
        }
        if tunnel.down.said_goodbye {
            let deadline = deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + PATIENCE)));
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Ending::Left);
        }
        Poll::Pending
    })
    .await
}

#[derive(Debug)]
struct Tunnel {
    client: Socket,
    upstream: Socket,
    /// From the program to the client.
    down: Direction,
    /// From the client to the program.
    up: Direction,
    leaving: bool,
}

impl Tunnel {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        if self.leaving {
            self.down.leave(&websocket::close_frame(websocket::GOING_AWAY));
            let mask = fastrand::u32(..).to_be_bytes();
            self.up.leave(&websocket::masked_close_frame(websocket::GOING_AWAY, mask));
        }
        let down = self.down.poll(cx, &mut self.upstream, &mut self.client);
        let up = self.up.poll(cx, &mut self.client, &mut self.upstream);
        match (down, up) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) | (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => {
                Poll::Ready(if self.leaving { Ending::Left } else { Ending::Closed })
            }
            // We said goodbye, and the client answered.
            _ if self.down.said_goodbye && self.down.pending.is_empty() && self.up.frames.closed() => {
                Poll::Ready(Ending::Left)
            }
            _ => Poll::Pending,
        }
    }
}

/// One way through the tunnel.
#[derive(Debug)]
struct Direction {
    frames: Frames,
    /// What was read and not yet written.
    pending: BytesMut,
    passed: u64,
    ended: bool,
    shut: bool,
    goodbye: Option<Bytes>,
    said_goodbye: bool,
}

impl Direction {
    fn with(first: Bytes) -> Self {
        let mut frames = Frames::default();
        frames.feed(&first);
        Self {
            frames,
            pending: BytesMut::from(first),
            passed: 0,
            ended: false,
            shut: false,
            goodbye: None,
            said_goodbye: false,
        }
    }

    /// Ends with `frame` as soon as no other one is under way.
    fn leave(&mut self, frame: &[u8]) {
        // Whoever closed by itself has said its goodbye.
        if self.goodbye.is_none() && !self.said_goodbye && !self.frames.closed() {
            self.goodbye = Some(Bytes::copy_from_slice(frame));
        }
        self.say_goodbye();
    }

    fn say_goodbye(&mut self) {
        if self.frames.between()
            && let Some(goodbye) = self.goodbye.take()
        {
            self.pending.extend_from_slice(&goodbye);
            self.said_goodbye = true;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Socket, to: &mut Socket) -> Poll<io::Result<()>> {
        // On the stack: a tunnel that waits keeps nothing.
        let mut scratch = [0; 16 * 1024];
        loop {
            while !self.pending.is_empty() {
                let count = ready!(Pin::new(&mut *to).poll_write(cx, &self.pending))?;
                self.pending.advance(count);
            }
            if self.pending.capacity() > 0 {
                self.pending = BytesMut::new();
            }
            if self.ended {
                if !self.shut {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.shut = true;
                }
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))?;
            let data = buffer.filled();
            self.passed += data.len() as u64;
            if data.is_empty() {
                self.ended = true;
            } else if self.said_goodbye {
                // Nothing may follow our close frame; what comes is read for the close frame that answers it.
                self.frames.feed(data);
                if self.frames.closed() {
                    return Poll::Pending;
                }
            } else {
                self.pass(cx, data, to)?;
            }
        }
    }

    /// Writes what it can at once and keeps the rest.
    fn pass(&mut self, cx: &mut Context<'_>, data: &[u8], to: &mut Socket) -> io::Result<()> {
        let taken = if self.goodbye.is_some() {
            self.frames.feed_until_between(data)
        } else {
            self.frames.feed(data);
            data.len()
        };
        let (data, rest) = data.split_at(taken);
        let written = match Pin::new(to).poll_write(cx, data) {
            Poll::Ready(count) => count?,
            Poll::Pending => 0,
        };
        self.pending.extend_from_slice(&data[written..]);
        self.say_goodbye();
        // Not passed on, but a close frame in it still counts.
        self.frames.feed(rest);
        Ok(())
    }
}
