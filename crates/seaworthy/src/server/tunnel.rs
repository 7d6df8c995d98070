//! The goodbye to a WebSocket that the service owns: a close frame of ours between two frames of its own.
//!
//! What the service writes after it is thrown away, because nothing may follow a close frame (RFC 6455, 5.5.1). What the client
//! answers reaches the service, which sees an orderly close. A service that is stuck in mid-frame gets nothing put in: half
//! a frame and a close frame would be read as one whole frame of garbage.

use seaworthy_core::websocket::{Frames, GOING_AWAY, close_frame};

use super::socket::Socket;

/// The frames that a service writes to its client, and our own last one.
#[derive(Debug, Default)]
pub(super) struct Goodbye {
    frames: Frames,
    /// What is left of our close frame.
    pending: Vec<u8>,
    said: bool,
}

impl Goodbye {
    /// How much of `data` may be written before it is our turn.
    pub(super) fn room(&self, data: &[u8], leaving: bool) -> usize {
        if leaving { self.frames.clone().feed_until_between(data) } else { data.len() }
    }

    /// The service wrote this.
    pub(super) fn wrote(&mut self, data: &[u8]) {
        self.frames.feed(data);
    }

    /// Says goodbye as soon as that is possible. Gives whether it has been said, at least in part.
    pub(super) fn say(&mut self, socket: &Socket) -> bool {
        if !self.said && self.frames.between() && !self.frames.closed() {
            self.said = true;
            self.pending = close_frame(GOING_AWAY).to_vec();
        }
        // Where the socket takes nothing now, the sweep makes whoever reads try again.
        if let Ok(written) = socket.try_write(&self.pending) {
            self.pending.drain(..written);
        }
        self.said
    }

    /// Nothing that the service writes goes out any more.
    pub(super) fn said(&self) -> bool {
        self.said
    }
}
