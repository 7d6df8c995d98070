//! The body of an answer on its way to the client; its end, or its drop, is the end of the request on its connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Method, Uri};
use http_body::{Body, Frame, SizeHint};

use super::Shared;
use super::registry::CutRequest;
use super::state::Connection;

/// A request under way.
pub(super) struct Served {
    pub(super) state: Arc<Connection>,
    pub(super) shared: Arc<Shared>,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) began: Instant,
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.state.is_cut() {
            let (method, path) = (self.method.to_string(), self.uri.path().to_owned());
            self.shared.registry.note_cut(CutRequest { method, path, after: self.began.elapsed() });
        }
        self.state.end();
    }
}

/// Completes when an endless answer should end.
pub(super) type Ending = Pin<Box<dyn Future<Output = ()> + Send>>;

pin_project_lite::pin_project! {
    /// What is written to the client.
    pub(super) struct ServedBody<B> {
        #[pin]
        body: B,
        served: Option<Served>,
        ending: Option<Ending>,
    }
}

impl<B> ServedBody<B> {
    pub(super) fn new(body: B, served: Option<Served>, ending: Option<Ending>) -> Self {
        Self { body, served, ending }
    }
}

impl<B: Body> Body for ServedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if let Some(ending) = this.ending
            && ending.as_mut().poll(cx).is_ready()
        {
            *this.ending = None;
            *this.served = None;
            return Poll::Ready(None);
        }
        let frame = ready!(this.body.poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            *this.served = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
