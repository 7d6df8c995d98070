//! The two bodies at the client's side: what it sends, watched for its pace, and what it gets, watched for its end.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use seaworthy_core::pace::Pace;

use super::state::Connection;
use crate::clock::{TICK, Ticks};
use crate::registry::InFlight;

/// What a client sends after its head.
#[derive(Debug)]
pub(crate) struct RequestBody {
    body: Incoming,
    state: Rc<Connection>,
    ticks: Ticks,
    /// Whether the client is waited for.
    waiting: bool,
}

/// Why the body of a request cannot be read.
#[derive(Debug)]
pub(crate) enum RequestBodyError {
    /// It came more slowly than `limits.body-min-rate`.
    TooSlow,
    /// The client left, or its framing is broken.
    Client(hyper::Error),
}

impl fmt::Display for RequestBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow => f.write_str("the request body came too slowly"),
            Self::Client(error) => write!(f, "the request body broke off: {error}"),
        }
    }
}

impl Error for RequestBodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::TooSlow => None,
            Self::Client(error) => Some(error),
        }
    }
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, state: Rc<Connection>, ticks: Ticks) -> Self {
        Self { body, state, ticks, waiting: false }
    }

    fn go_on(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.pace(Pace::go_on);
        }
    }

    fn pace(&self, note: impl FnOnce(&mut Pace, Duration)) {
        let mut pace = self.state.pace.get();
        note(&mut pace, TICK * self.ticks.now());
        self.state.pace.set(pace);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        if this.state.body_expired.get() {
            return Poll::Ready(Some(Err(RequestBodyError::TooSlow)));
        }
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.go_on();
                Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Client)))
            }
            Poll::Pending => {
                this.state.listen_for_expiry(cx.waker());
                if !std::mem::replace(&mut this.waiting, true) {
                    this.pace(|pace, now| pace.wait(now, this.state.read.get()));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.go_on();
        self.pace(|pace, _| pace.end());
    }
}

/// Ends an event stream from outside: its client reconnects, to somebody who stays.
#[derive(Debug, Default)]
pub(crate) struct StreamEnd {
    ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl StreamEnd {
    pub(crate) fn end(&self) {
        self.ended.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

pin_project_lite::pin_project! {
    /// What a client gets after the head of its answer.
    #[derive(Debug)]
    pub(crate) struct AnswerBody<B: Body> {
        #[pin]
        body: Option<B>,
        // Waits until what came before it is on its way.
        failed: Option<B::Error>,
        end: Option<Rc<StreamEnd>>,
        served: Served,
    }
}

/// A request that is being served; its drop is the end of the answer.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) state: Rc<Connection>,
    pub(crate) in_flight: Option<InFlight>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.state.requests.set(self.state.requests.get() - 1);
        // For HTTP/1: what is left is to flush it.
        self.state.answered.set(true);
    }
}

impl<B: Body> AnswerBody<B> {
    pub(crate) fn new(body: B, end: Option<Rc<StreamEnd>>, served: Served) -> Self {
        Self { body: Some(body), failed: None, end, served }
    }
}

impl<B: Body> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if let Some(end) = this.end {
            if end.ended.get() {
                this.body.set(None);
            } else {
                *end.waker.borrow_mut() = Some(cx.waker().clone());
            }
        }
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        match ready!(body.poll_frame(cx)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            None => {
                this.body.set(None);
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                // hyper drops what it holds when a body fails. What the program did send is flushed while we wait.
                *this.failed = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
