//! Requests that are sent again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use http::{Request, Response, request::Parts};
use http_body::Body;
use http_body_util::BodyExt as _;
use http_body_util::combinators::Collect;
use seaworthy_core::refusal::Reason;
use tokio::time::{Instant, Sleep};
use tower_layer::Layer;
use tower_service::Service;

use super::{Answer, Attempt, Retry, RetryBody, Verdict, repeatable, retry_after};
use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Wraps clients in [`RetryService`]. All of them share the budget, and so do clones.
#[derive(Debug, Clone)]
pub struct RetryLayer {
    retry: Retry,
    total: Option<Duration>,
    buffer: u64,
    hedged: bool,
}

impl RetryLayer {
    /// Without a total time, for bodies of up to 64 KiB.
    pub fn new(retry: Retry) -> Self {
        Self { retry, total: None, buffer: 64 * 1024, hedged: false }
    }

    /// Begins no wait that would outlast `total`, counted from the request. Whoever wants it to hold for attempts, too, puts a
    /// [`crate::limit::time::TimeLimitLayer`] around.
    #[must_use]
    pub fn total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// The largest body that is kept to be sent again, in bytes. Default: 64 KiB.
    #[must_use]
    pub fn buffer(mut self, bytes: u64) -> Self {
        self.buffer = bytes;
        self
    }

    /// Keeps bodies to be sent again also where nothing is retried: for a [`HedgeLayer`](crate::hedge::HedgeLayer) inside. Default: no.
    #[must_use]
    pub fn hedged(mut self, hedged: bool) -> Self {
        self.hedged = hedged;
        self
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = RetryService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService { inner, layer: self.clone() }
    }
}

/// Sends requests again. The answer's extensions say by [`Attempts`] how often.
#[derive(Debug, Clone)]
pub struct RetryService<S> {
    inner: S,
    layer: RetryLayer,
}

/// How many attempts an answer took: 1 where the first one was enough. In the extensions of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts(pub u32);

impl<S, B, R> Service<Request<B>> for RetryService<S>
where
    S: Service<Request<RetryBody<B>>, Response = Response<R>> + Clone,
    B: Body,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RetryFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.layer.retry.deposit();
        // The service that was made ready goes along with the request; a fresh clone takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let deadline = self.layer.total.map(|total| Instant::now() + total);
        let (parts, body) = request.into_parts();
        let may_repeat = (self.layer.retry.policy().retries > 0 || self.layer.hedged)
            && repeatable(parts.method.as_str(), parts.headers.contains_key("idempotency-key"));
        let length = body.size_hint().exact();
        let (again, state) = if may_repeat && length == Some(0) {
            let (request, again) = prepared(parts, RetryBody::Whole { bytes: bytes::Bytes::new() });
            (again, RetryState::Calling { answer: inner.call(request) })
        } else if may_repeat && length.is_some_and(|length| length <= self.layer.buffer) {
            (None, RetryState::Buffering { body: body.collect(), parts: Some(parts) })
        } else {
            let request = Request::from_parts(parts, RetryBody::Streaming { body });
            (None, RetryState::Calling { answer: inner.call(request) })
        };
        RetryFuture { state, inner, again, retry: self.layer.retry.clone(), number: 1, deadline }
    }
}

/// A request, and what it takes to send it again.
fn prepared<B>(parts: Parts, body: RetryBody<B>) -> (Request<RetryBody<B>>, Option<Request<RetryBody<B>>>) {
    let again = body.again().map(|body| Request::from_parts(parts.clone(), body));
    (Request::from_parts(parts, body), again)
}

pin_project_lite::pin_project! {
    /// The answer of [`RetryService`].
    pub struct RetryFuture<S: Service<Request<RetryBody<B>>>, B: Body> {
        #[pin]
        state: RetryState<S::Future, B>,
        inner: S,
        // The next attempt, where there may be one.
        again: Option<Request<RetryBody<B>>>,
        retry: Retry,
        number: u32,
        deadline: Option<Instant>,
    }
}

pin_project_lite::pin_project! {
    #[project = RetryStateProjection]
    enum RetryState<F, B: Body> {
        Buffering { #[pin] body: Collect<B>, parts: Option<Parts> },
        Calling { #[pin] answer: F },
        Waiting { #[pin] sleep: Sleep },
        // The wait is over, and the service may not be ready yet.
        Next,
    }
}

impl<S: Service<Request<RetryBody<B>>>, B: Body> std::fmt::Debug for RetryFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetryFuture").field("number", &self.number).finish_non_exhaustive()
    }
}

impl<S, B, R> Future for RetryFuture<S, B>
where
    S: Service<Request<RetryBody<B>>, Response = Response<R>>,
    B: Body,
    R: ProblemBody,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                RetryStateProjection::Buffering { body, parts } => {
                    let body = ready!(body.poll(cx));
                    let parts = parts.take().expect("a future is not polled after it was ready");
                    let Ok(body) = body else {
                        let to = Correlation::of(&Request::from_parts(parts, ()));
                        return Poll::Ready(Ok(Refusal::new(Reason::BadRequest).respond(&to)));
                    };
                    let (request, again) = prepared(parts, RetryBody::Whole { bytes: body.to_bytes() });
                    *this.again = again;
                    RetryState::Calling { answer: this.inner.call(request) }
                }
                RetryStateProjection::Calling { answer } => {
                    let mut answer = ready!(answer.poll(cx));
                    match verdict(&answer, this.again.is_some(), *this.number, *this.deadline, this.retry) {
                        // The answer is dropped, with whatever of its body is still to come.
                        Verdict::Again { after } => RetryState::Waiting { sleep: tokio::time::sleep(after) },
                        Verdict::Stop(_) => {
                            if let Ok(answer) = &mut answer {
                                answer.extensions_mut().insert(Attempts(*this.number));
                            }
                            return Poll::Ready(answer);
                        }
                    }
                }
                RetryStateProjection::Waiting { sleep } => {
                    ready!(sleep.poll(cx));
                    RetryState::Next
                }
                RetryStateProjection::Next => {
                    ready!(this.inner.poll_ready(cx))?;
                    let request = this.again.take().expect("only what can be sent again is waited for");
                    let (parts, body) = request.into_parts();
                    let (request, again) = prepared(parts, body);
                    *this.again = again;
                    *this.number += 1;
                    RetryState::Calling { answer: this.inner.call(request) }
                }
            };
            this.state.set(next);
        }
    }
}

fn verdict<R, E>(
    answer: &Result<Response<R>, E>,
    repeatable: bool,
    number: u32,
    deadline: Option<Instant>,
    retry: &Retry,
) -> Verdict {
    let (outcome, retry_after) = match answer {
        Err(_) => (Answer::Nothing, None),
        Ok(answer) => match answer.extensions().get::<Reason>() {
            None => {
                let after = retry_after(answer.headers(), SystemTime::now());
                (Answer::Status(answer.status().as_u16()), after)
            }
            Some(
                Reason::UpstreamUnreachable
                | Reason::UpstreamClosed
                | Reason::UpstreamInvalid
                | Reason::UpstreamTimeout,
            ) => (Answer::Nothing, None),
            Some(_) => return Verdict::Stop(super::Why::Answered),
        },
    };
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    retry.decide(&Attempt { number, repeatable, answer: outcome, retry_after, left })
}
