//! A connection to the program.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use seaworthy_core::tick::ticks;
use tokio::io::ReadBuf;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Answer, Keep};
use crate::observer::UpstreamOpen;
use crate::proxy::Failure;
use crate::socket::{Socket, Waiting};
use crate::tunnel::UpstreamHalf;

/// How long a connection is kept where the upstream says nothing. Node's default is 5 s, gunicorn's 2 s.
const UNKNOWN: Duration = Duration::from_secs(1);

/// What a worker reads heads into, and what heads are written into: one of each, and not one a connection.
#[derive(Debug, Clone)]
pub(crate) struct Scratch(Rc<Buffers>);

#[derive(Debug)]
struct Buffers {
    received: RefCell<Box<[u8]>>,
    spare: RefCell<Vec<u8>>,
}

impl Default for Scratch {
    fn default() -> Self {
        let received = RefCell::new(vec![0; 16 * 1024].into());
        Self(Rc::new(Buffers { received, spare: RefCell::default() }))
    }
}

/// A connection that carries one exchange at a time. It has no task of its own: whoever waits for something of it
/// drives it.
#[derive(Debug)]
pub(crate) struct Kept {
    socket: Socket,
    /// What the socket did not take yet. Without memory of its own between two requests.
    unsent: Vec<u8>,
    sent: usize,
    write_failed: bool,
    /// Whether anything came of the answer that is waited for.
    answering: bool,
    /// The beginning of a head whose end has not come.
    received: BytesMut,
    scratch: Scratch,
    /// Counted while it lives.
    open: UpstreamOpen,
    /// Counts against the cap of the process while the connection lives.
    permit: OwnedSemaphorePermit,
    /// When it was last used, and how long it is kept from then, in ticks.
    pub(crate) idle_since: u32,
    pub(crate) keep: u32,
    /// Which program it leads to: a restart makes all older ones useless.
    pub(crate) generation: u32,
}

impl Kept {
    pub(crate) fn new(
        socket: Socket,
        scratch: Scratch,
        permit: OwnedSemaphorePermit,
        open: UpstreamOpen,
        generation: u32,
    ) -> Self {
        Self {
            socket,
            unsent: Vec::new(),
            sent: 0,
            write_failed: false,
            answering: false,
            received: BytesMut::new(),
            scratch,
            open,
            permit,
            idle_since: 0,
            keep: ticks(UNKNOWN),
            generation,
        }
    }

    pub(crate) fn idle(&self, now: u32) -> u32 {
        now.saturating_sub(self.idle_since)
    }

    /// Whether a kept connection can be used now. What can be said again goes by what the runtime has heard of it, which
    /// saves a system call.
    pub(crate) fn is_alive(&self, repeatable: bool) -> bool {
        repeatable && !self.socket.has_news() || self.socket.peek() == Waiting::Nothing
    }

    /// Whether nothing went wrong with it that reading did not show.
    pub(crate) fn is_whole(&self) -> bool {
        !self.write_failed
    }

    /// Learns how long the program keeps it.
    pub(super) fn keep_for(&mut self, keep: Keep) {
        match keep {
            Keep::Close => self.keep = 0,
            Keep::Open => {}
            Keep::Seconds(seconds) => {
                self.keep = ticks(Duration::from_secs(seconds).saturating_sub(Duration::from_secs(1)));
            }
        }
    }

    /// Where to write what is to go out next.
    pub(super) fn outbox(&mut self) -> &mut Vec<u8> {
        if self.unsent.capacity() == 0 {
            self.unsent = self.scratch.0.spare.take();
        }
        &mut self.unsent
    }

    /// Sends what is in the outbox, then `data`, then `tail`; ready when all of it has gone, or never will.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes, tail: &mut &'static [u8]) -> Poll<()> {
        while !self.write_failed && (self.sent < self.unsent.len() || !data.is_empty() || !tail.is_empty()) {
            let head = &self.unsent[self.sent..];
            let result = if data.is_empty() && tail.is_empty() {
                ready!(self.socket.poll_send(cx, head))
            } else {
                ready!(self.socket.poll_send_pieces(cx, &[head, &data[..], tail].map(IoSlice::new)))
            };
            match result {
                Ok(count) => {
                    let of_head = count.min(head.len());
                    let of_data = (count - of_head).min(data.len());
                    self.sent += of_head;
                    data.advance(of_data);
                    *tail = &tail[count - of_head - of_data..];
                }
                Err(_) => self.write_failed = true,
            }
        }
        if self.unsent.capacity() > 0 {
            let mut spare = std::mem::take(&mut self.unsent);
            spare.clear();
            self.sent = 0;
            // One that grew for a long head would stay that long.
            if spare.capacity() <= 8 * 1024 {
                self.scratch.0.spare.replace(spare);
            }
        }
        Poll::Ready(())
    }

    /// Reads the head of the answer, leaving out interim ones; its headers are in `headers` then.
    pub(crate) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        to_head: bool,
        headers: &mut HeaderMap,
    ) -> Poll<Result<Answer, AnswerFailure>> {
        let scratch = self.scratch.clone();
        let mut buffer = scratch.0.received.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            let read = ready!(self.socket.poll_receive(cx, &mut buffer));
            if let Err(error) = read {
                return Poll::Ready(Err(AnswerFailure::closed(!self.answering, error.to_string())));
            }
            if buffer.filled().is_empty() {
                let how = if self.answering { "in the middle of the head" } else { "without a byte of an answer" };
                return Poll::Ready(Err(AnswerFailure::closed(!self.answering, how.to_owned())));
            }
            self.answering = true;
            let answer = if self.received.is_empty() {
                // Nearly always the whole head, which needs no buffer of this connection then.
                let answer = Answer::read(buffer.filled(), to_head, headers);
                if let Ok(None) = answer {
                    self.received.extend_from_slice(buffer.filled());
                }
                answer
            } else {
                self.received.extend_from_slice(buffer.filled());
                Answer::read(&self.received, to_head, headers)
            };
            let mut answer = answer.map_err(AnswerFailure::invalid)?;
            // An interim answer says nothing that a client may not miss (RFC 9110, 15.2).
            while let Some(interim) = answer.take_if(|answer| answer.status.is_informational() && answer.status != 101)
            {
                self.received = BytesMut::from(interim.rest);
                answer = Answer::read(&self.received, to_head, headers).map_err(AnswerFailure::invalid)?;
            }
            if let Some(answer) = answer {
                self.received = BytesMut::new();
                self.answering = false;
                self.keep_for(answer.keep);
                return Poll::Ready(Ok(answer));
            }
        }
    }

    /// Reads into `buffer`, at most as much as it has room for.
    pub(super) fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.socket.poll_receive(cx, buffer)
    }

    /// The end of a tunnel, where both sides have agreed on one.
    pub(crate) fn into_tunnel(self, sent: Bytes) -> UpstreamHalf {
        UpstreamHalf { socket: self.socket, sent, open: self.open, permit: self.permit }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct AnswerFailure {
    pub(crate) failure: Failure,
    /// Not a byte of it came.
    pub(crate) nothing: bool,
}

impl AnswerFailure {
    fn closed(nothing: bool, how: String) -> Self {
        Self { failure: Failure::Closed(how), nothing }
    }

    fn invalid(error: super::HeadError) -> Self {
        Self { failure: Failure::Invalid(error.to_string()), nothing: false }
    }
}

impl From<Failure> for AnswerFailure {
    /// Of what went wrong before or beside the answer.
    fn from(failure: Failure) -> Self {
        Self { failure, nothing: false }
    }
}
