//! The body of a request as it comes from the client, watched for its pace.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use seaworthy_core::pace::Pace;

use super::Shared;
use super::state::Connection;

/// What a client sends after its head. It ends with an error where it comes more slowly than
/// [`ConnectionLimits::body_min_rate`](super::ConnectionLimits::body_min_rate).
#[derive(Debug)]
pub struct ReceivedBody {
    body: Incoming,
    /// `None` where nothing has to come, or it may come as it likes.
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    state: Arc<Connection>,
    shared: Arc<Shared>,
    /// Whether the client is waited for.
    waiting: bool,
}

/// Why a [`ReceivedBody`] cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceivedBodyError {
    /// It came more slowly than allowed.
    TooSlow,
    /// The client left, or broke the framing.
    Client(hyper::Error),
}

impl fmt::Display for ReceivedBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow => f.write_str("the request body came too slowly"),
            Self::Client(error) => write!(f, "the request body broke off: {error}"),
        }
    }
}

impl Error for ReceivedBodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::TooSlow => None,
            Self::Client(error) => Some(error),
        }
    }
}

impl ReceivedBody {
    pub(super) fn new(body: Incoming, state: &Arc<Connection>, shared: &Arc<Shared>) -> Self {
        let watched = shared.limits.body_min_rate.is_some() && !body.is_end_stream();
        let watch = watched.then(|| Watch { state: state.clone(), shared: shared.clone(), waiting: false });
        Self { body, watch }
    }

    /// Whether it may be refused for coming too slowly.
    pub(super) fn tardiness(&self) -> Option<Tardiness> {
        self.watch.as_ref().map(|watch| Tardiness(watch.state.clone()))
    }
}

impl Watch {
    fn wait(&mut self) {
        if !std::mem::replace(&mut self.waiting, true) {
            let (now, read) = (self.shared.registry.time(), self.state.bytes_read());
            self.state.pace(|pace| pace.wait(now, read));
        }
    }

    fn go_on(&mut self) {
        if std::mem::take(&mut self.waiting) {
            let now = self.shared.registry.time();
            self.state.pace(|pace| pace.go_on(now));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.go_on();
        self.state.pace(Pace::end);
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = ReceivedBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReceivedBodyError>>> {
        let this = self.get_mut();
        if let Some(watch) = &this.watch {
            // Before it is asked, so that no expiry is missed in between.
            watch.state.body.register(cx.waker());
            if watch.state.is_body_expired() {
                return Poll::Ready(Some(Err(ReceivedBodyError::TooSlow)));
            }
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Some(watch) = &mut this.watch {
            if polled.is_pending() { watch.wait() } else { watch.go_on() }
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(ReceivedBodyError::Client)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether the body of a request came too slowly, for whoever answers in the place of the service. Clones say the same.
#[derive(Debug, Clone)]
pub(crate) struct Tardiness(Arc<Connection>);

impl Tardiness {
    pub(crate) fn is_noticed(&self) -> bool {
        self.0.is_body_expired()
    }
}
