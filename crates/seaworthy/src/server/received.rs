//! The body of a request as it comes from the client, watched for its pace.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::state::Connection;
use super::{Meter, Shared};

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
    meter: Arc<Meter>,
    state: Arc<Connection>,
    shared: Arc<Shared>,
    /// Its place among the meters of the connection, once the client was waited for.
    key: Option<usize>,
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
        let watch = watched.then(|| Watch {
            meter: Arc::default(),
            state: state.clone(),
            shared: shared.clone(),
            key: None,
            waiting: false,
        });
        Self { body, watch }
    }

    /// By what it may be refused for coming too slowly.
    pub(super) fn meter(&self) -> Option<Arc<Meter>> {
        self.watch.as_ref().map(|watch| watch.meter.clone())
    }
}

impl Watch {
    fn wait(&mut self) {
        if !std::mem::replace(&mut self.waiting, true) {
            self.key.get_or_insert_with(|| self.state.enter_meter(self.meter.clone()));
            self.meter.wait(self.shared.registry.time(), self.state.arrived(&self.meter));
        }
    }

    fn go_on(&mut self, frame: Option<&Frame<Bytes>>) {
        if let Some(data) = frame.and_then(Frame::data_ref) {
            self.state.give(&self.meter, data.len());
        }
        if std::mem::take(&mut self.waiting) {
            self.meter.go_on(self.shared.registry.time());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.state.leave_meter(key);
        }
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = ReceivedBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReceivedBodyError>>> {
        let this = self.get_mut();
        if let Some(watch) = &this.watch {
            // Before it is asked, so that no expiry is missed in between.
            watch.meter.reader.register(cx.waker());
            if watch.meter.is_expired() {
                return Poll::Ready(Some(Err(ReceivedBodyError::TooSlow)));
            }
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Some(watch) = &mut this.watch {
            match &polled {
                Poll::Pending => watch.wait(),
                Poll::Ready(frame) => watch.go_on(frame.as_ref().and_then(|frame| frame.as_ref().ok())),
            }
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
