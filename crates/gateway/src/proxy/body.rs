//! The body of an answer: the upstream's, or a problem of ours.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use seaworthy::refusal::ProblemBody;

use super::http1::{AnswerError, UpstreamBody};

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
    type Error = ProxyBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ProxyBodyError>>> {
        match self.project() {
            ProxyBodyProjection::Problem { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
            ProxyBodyProjection::Upstream { body } => body.poll_frame(cx).map_err(ProxyBodyError::from),
            ProxyBodyProjection::Stream { body } => body.poll_frame(cx).map_err(ProxyBodyError::from),
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

/// Why the rest of an answer does not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyBodyError {
    #[error(transparent)]
    Http1(#[from] AnswerError),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}
