//! The body of an answer, which gives its connection back when it has ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::chunked::{ChunkError, Chunked, Step};
use super::{Framing, Kept, Sending};
use crate::proxy::pool::Pool;

/// What is read at a time: at first, and at most where much is coming.
const LEAST_READ: usize = 8 * 1024;
const MOST_READ: usize = 64 * 1024;

/// Why the rest of an answer does not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("the program closed the connection in the middle of its answer")]
    Truncated,
    #[error("the connection to the program broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the answer is not in chunks as it says: {0}")]
    Chunks(#[from] ChunkError),
    #[error("the request broke off while it was answered")]
    Request,
}

/// An answer over a kept connection. One that is dropped before its end takes its connection along: the rest of the
/// answer is in its way.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    left: Left,
    /// What was received and not yet given out.
    received: Bytes,
    buffer: BytesMut,
    lease: Option<Box<Lease>>,
}

/// What of the body is still to come.
#[derive(Debug)]
enum Left {
    Length(u64),
    Chunks(Box<Chunked>),
    UntilClose,
    Nothing,
}

#[derive(Debug)]
struct Lease {
    kept: Box<Kept>,
    pool: Pool,
    /// What of the request has not gone out yet.
    sending: Option<Sending>,
    read: usize,
}

impl UpstreamBody {
    /// The body that follows a head, of which `received` has come already.
    pub(crate) fn new(
        framing: Framing,
        received: Bytes,
        kept: Box<Kept>,
        sending: Option<Sending>,
        pool: &Pool,
    ) -> Self {
        let left = match framing {
            Framing::Empty => Left::Nothing,
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunks(Box::default()),
            Framing::UntilClose => Left::UntilClose,
        };
        // All of a small answer comes with its head, and the connection is free again before the client has it.
        let whole = match framing {
            Framing::Empty => received.is_empty(),
            Framing::Length(length) => length == received.len() as u64,
            Framing::Chunked | Framing::UntilClose => false,
        };
        let lease = if whole && sending.is_none() {
            pool.give_back(kept);
            None
        } else if framing == Framing::Empty {
            // Something follows an answer that is complete, or the request has not ended: it cannot be used again.
            None
        } else {
            Some(Box::new(Lease { kept, pool: pool.clone(), sending, read: LEAST_READ }))
        };
        let received = if framing == Framing::Empty { Bytes::new() } else { received };
        Self { left, received, buffer: BytesMut::new(), lease }
    }

    /// No body, of an answer after which the connection is no longer one of HTTP.
    pub(crate) fn none() -> Self {
        Self { left: Left::Nothing, received: Bytes::new(), buffer: BytesMut::new(), lease: None }
    }

    /// The next piece of what was received, if there is one.
    fn next(&mut self) -> Result<Option<Frame<Bytes>>, ChunkError> {
        match &mut self.left {
            Left::Nothing => Ok(None),
            Left::UntilClose => {
                let data = std::mem::take(&mut self.received);
                Ok((!data.is_empty()).then(|| Frame::data(data)))
            }
            Left::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(self.received.len());
                *left -= count as u64;
                let last = *left == 0;
                let data = self.received.split_to(count);
                if last {
                    self.end();
                }
                Ok((!data.is_empty()).then(|| Frame::data(data)))
            }
            Left::Chunks(chunks) => match chunks.step(&mut self.received)? {
                Step::Data(data) => Ok(Some(Frame::data(data))),
                Step::Trailers(trailers) => {
                    self.end();
                    Ok(Some(Frame::trailers(trailers)))
                }
                Step::End => {
                    self.end();
                    Ok(None)
                }
                Step::More => Ok(None),
            },
        }
    }

    /// All of the body was read: the connection can carry another request, if nothing else is in its way.
    fn end(&mut self) {
        self.left = Left::Nothing;
        if let Some(lease) = self.lease.take()
            && lease.sending.is_none()
            && self.received.is_empty()
        {
            lease.pool.give_back(lease.kept);
        }
    }

    /// Reads more of it.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AnswerError>> {
        let Some(lease) = &mut self.lease else {
            // The answer had come as a whole; nothing but its end is left to be asked for.
            self.left = Left::Nothing;
            return Poll::Ready(Ok(()));
        };
        if let Some(sending) = &mut lease.sending {
            match sending.poll(cx, &mut lease.kept) {
                Poll::Ready(Ok(())) => lease.sending = None,
                // Where the answer ends nevertheless, it is whole.
                Poll::Ready(Err(_)) => return Poll::Ready(Err(AnswerError::Request)),
                Poll::Pending => {}
            }
        }
        let room = match self.left {
            Left::Length(left) => usize::try_from(left).unwrap_or(MOST_READ).min(MOST_READ),
            _ => lease.read,
        };
        self.buffer.reserve(room);
        let count = ready!(lease.kept.poll_receive(cx, &mut self.buffer))?;
        if count == 0 {
            return Poll::Ready(match self.left {
                Left::UntilClose => {
                    self.end();
                    Ok(())
                }
                _ => Err(AnswerError::Truncated),
            });
        }
        if count >= lease.read {
            lease.read = (lease.read * 2).min(MOST_READ);
        }
        self.received = self.buffer.split().freeze();
        Poll::Ready(Ok(()))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.next()? {
                return Poll::Ready(Some(Ok(frame)));
            }
            if matches!(this.left, Left::Nothing) {
                return Poll::Ready(None);
            }
            ready!(this.poll_more(cx))?;
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Length(left) => SizeHint::with_exact(left),
            Left::Nothing => SizeHint::with_exact(0),
            Left::Chunks(_) | Left::UntilClose => SizeHint::default(),
        }
    }
}
