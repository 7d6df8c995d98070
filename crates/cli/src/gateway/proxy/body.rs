//! The body of an answer: the upstream's, or a problem of ours.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use seaworthy::refusal::ProblemBody;

use super::InnerBody;
use super::pool::{Kept, Pool};

pin_project_lite::pin_project! {
    /// What follows the head of an answer.
    #[derive(Debug)]
    #[project = ProxyBodyProjection]
    pub(crate) enum ProxyBody {
        Problem { #[pin] body: Full<Bytes> },
        /// Over a kept connection of HTTP/1.
        Upstream { #[pin] body: UpstreamBody },
        /// Over a shared connection of HTTP/2.
        Stream { #[pin] body: Incoming },
    }
}

impl ProblemBody for ProxyBody {
    fn from_problem(problem: Bytes) -> Self {
        Self::Problem { body: Full::new(problem) }
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.project() {
            ProxyBodyProjection::Problem { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
            ProxyBodyProjection::Upstream { body } => body.poll_frame(cx),
            ProxyBodyProjection::Stream { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Problem { body } => body.is_end_stream(),
            Self::Upstream { body } => body.is_end_stream(),
            Self::Stream { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Problem { body } => body.size_hint(),
            Self::Upstream { body } => body.size_hint(),
            Self::Stream { body } => body.size_hint(),
        }
    }
}

/// An answer over a kept connection, which goes back to its pool when all of it was read. One that is dropped before
/// takes its connection along: the rest of the answer is in its way.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    body: Incoming,
    lease: Option<(Box<Kept<InnerBody>>, Pool<InnerBody>)>,
}

impl UpstreamBody {
    pub(crate) fn new(body: Incoming, kept: Box<Kept<InnerBody>>, pool: Pool<InnerBody>) -> Self {
        Self { body, lease: Some((kept, pool)) }
    }

    fn give_back(&mut self) {
        if let Some((kept, pool)) = self.lease.take() {
            pool.give_back(kept);
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let mut frame = Pin::new(&mut this.body).poll_frame(cx);
        if frame.is_pending()
            && let Some((kept, _)) = &mut this.lease
        {
            kept.drive(cx);
            frame = Pin::new(&mut this.body).poll_frame(cx);
        }
        let frame = ready!(frame);
        if frame.is_none() {
            this.give_back();
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

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        // Whoever writes the answer out does not ask a body that says it has ended.
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}
