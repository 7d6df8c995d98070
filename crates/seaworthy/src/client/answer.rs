//! Answers that always come: what the transport could not get is a refusal.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use seaworthy_core::refusal::Reason;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{Failure, TransportError};
use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Why the transport got no answer, for logs: in the extensions of the refusal that stands in for it.
#[derive(Debug, Clone)]
pub struct Cause(pub Arc<TransportError>);

/// Answers with a refusal where a transport has an error, and gives bodies their idle timeout.
#[derive(Debug, Clone)]
pub struct Refusing<S> {
    inner: S,
    idle: Duration,
}

impl<S> Refusing<S> {
    /// A body of which nothing comes for `idle` breaks off.
    pub fn new(inner: S, idle: Duration) -> Self {
        Self { inner, idle }
    }
}

impl<S, B> Service<Request<B>> for Refusing<S>
where
    S: Service<Request<B>, Response = Response<Incoming>, Error = TransportError>,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = RefusingFuture<S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A transport is always ready; were it not, its error would be that of the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let to = Correlation::of(&request);
        RefusingFuture { answer: self.inner.call(request), to, idle: self.idle }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Refusing`].
    #[derive(Debug)]
    pub struct RefusingFuture<F> {
        #[pin]
        answer: F,
        to: Correlation,
        idle: Duration,
    }
}

impl<F> Future for RefusingFuture<F>
where
    F: Future<Output = Result<Response<Incoming>, TransportError>>,
{
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(Ok(match ready!(this.answer.poll(cx)) {
            Ok(answer) => answer.map(|body| AnswerBody::served(body, *this.idle)),
            Err(error) => {
                let mut answer: Response<AnswerBody> = Refusal::new(reason(error.failure())).respond(this.to);
                answer.extensions_mut().insert(Cause(Arc::new(error)));
                answer
            }
        }))
    }
}

fn reason(failure: Failure) -> Reason {
    match failure {
        Failure::Resolve | Failure::Connect | Failure::Tls => Reason::UpstreamUnreachable,
        Failure::ConnectTimeout => Reason::UpstreamTimeout,
        Failure::Forbidden => Reason::DestinationForbidden,
        Failure::Closed => Reason::UpstreamClosed,
        Failure::Invalid => Reason::UpstreamInvalid,
        Failure::Body | Failure::Request => Reason::BadRequest,
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer: the service's, or that of a refusal.
    #[derive(Debug)]
    pub struct AnswerBody {
        #[pin]
        source: Source,
        // Set while nothing comes, so that a body that comes at once costs no timer.
        #[pin]
        deadline: Option<Sleep>,
        idle: Duration,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = SourceProjection]
    enum Source {
        Served { #[pin] body: Incoming },
        Refusal { #[pin] body: Full<Bytes> },
    }
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerBodyError {
    /// The connection broke before its end.
    #[error("the answer broke off: {0}")]
    Broken(#[source] hyper::Error),
    /// Nothing of it came for so long.
    #[error("nothing of the answer came for {0:?}")]
    Idle(Duration),
}

impl AnswerBody {
    fn served(body: Incoming, idle: Duration) -> Self {
        Self { source: Source::Served { body }, deadline: None, idle }
    }
}

impl ProblemBody for AnswerBody {
    fn from_problem(problem: Bytes) -> Self {
        Self { source: Source::Refusal { body: Full::new(problem) }, deadline: None, idle: Duration::MAX }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerBodyError>>> {
        let mut this = self.project();
        let frame = match this.source.project() {
            SourceProjection::Served { body } => body.poll_frame(cx).map_err(AnswerBodyError::Broken)?,
            SourceProjection::Refusal { body } => {
                return body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})));
            }
        };
        if let Poll::Ready(frame) = frame {
            // Begun anew with the next wait: to move it would cost more than most bodies need.
            if this.deadline.is_some() {
                this.deadline.set(None);
            }
            return Poll::Ready(frame.map(Ok));
        }
        if this.deadline.is_none() {
            this.deadline.set(Some(sleep(*this.idle)));
        }
        match this.deadline.as_pin_mut().map(|deadline| deadline.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Some(Err(AnswerBodyError::Idle(*this.idle)))),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Served { body } => body.is_end_stream(),
            Source::Refusal { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Served { body } => body.size_hint(),
            Source::Refusal { body } => body.size_hint(),
        }
    }
}
