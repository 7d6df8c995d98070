//! A breaker around an HTTP client.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use seaworthy_core::breaker::Outcome;
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use super::{Breaker, Breakers, Fallback, Lease, Open, Statuses};
use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Wraps clients in [`BreakerService`]. All of them share the breaker, and so do clones.
#[derive(Debug, Clone)]
pub struct BreakerLayer {
    which: Which,
    statuses: Statuses,
    fallback: Option<Fallback>,
}

#[derive(Debug, Clone)]
enum Which {
    One(Breaker),
    ByAuthority(Breakers),
}

impl Which {
    fn acquire<B>(&self, request: &Request<B>) -> Result<Lease, Open> {
        match (self, request.uri().authority()) {
            (Self::One(breaker), _) => breaker.acquire(),
            (Self::ByAuthority(breakers), Some(authority)) => breakers.of(authority).acquire(),
            (Self::ByAuthority(breakers), None) => breakers.other().acquire(),
        }
    }
}

impl BreakerLayer {
    /// One breaker for all that is called.
    pub fn new(breaker: Breaker) -> Self {
        Self { which: Which::One(breaker), statuses: Statuses::default(), fallback: None }
    }

    /// One breaker for each authority that is called.
    pub fn by_authority(breakers: Breakers) -> Self {
        Self { which: Which::ByAuthority(breakers), statuses: Statuses::default(), fallback: None }
    }

    /// Which answers are failures. An error of the client always is.
    #[must_use]
    pub fn statuses(mut self, statuses: Statuses) -> Self {
        self.statuses = statuses;
        self
    }

    /// Answers this while open, instead of 503.
    #[must_use]
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = Some(fallback);
        self
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = BreakerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService { inner, layer: self.clone() }
    }
}

/// Makes calls unless the breaker is open: then it answers 503 with `Retry-After` and the reason
/// [`Reason::BreakerOpen`], or the fallback. Judged is the head of an answer: a body may last for hours.
#[derive(Debug, Clone)]
pub struct BreakerService<S> {
    inner: S,
    layer: BreakerLayer,
}

impl<S, B, R> Service<Request<B>> for BreakerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BreakerFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.layer.which.acquire(&request) {
            Ok(lease) => {
                let answer = self.inner.call(request);
                let statuses = self.layer.statuses.clone();
                BreakerFuture { call: Call::Made { answer, lease: Some(lease), statuses } }
            }
            Err(open) => {
                let answer = match &self.layer.fallback {
                    Some(fallback) => {
                        let mut answer = fallback.respond();
                        answer.extensions_mut().insert(Reason::BreakerOpen);
                        answer
                    }
                    None => Refusal::new(Reason::BreakerOpen)
                        .retry_after(open.retry_after_seconds())
                        .respond(&Correlation::of(&request)),
                };
                BreakerFuture { call: Call::Refused { answer: Some(answer) } }
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`BreakerService`]. Dropped, it gives its lease back.
    #[derive(Debug)]
    pub struct BreakerFuture<F, R> {
        #[pin]
        call: Call<F, R>,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = CallProjection]
    enum Call<F, R> {
        Made { #[pin] answer: F, lease: Option<Lease>, statuses: Statuses },
        Refused { answer: Option<Response<R>> },
    }
}

impl<F, R, E> Future for BreakerFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProjection::Made { answer, lease, statuses } => {
                let answer = ready!(answer.poll(cx));
                let outcome = match &answer {
                    Ok(answer) => statuses.judge(answer.status(), answer.extensions()),
                    Err(_) => Outcome::Failure,
                };
                if let Some(lease) = lease.take() {
                    lease.finish(outcome);
                }
                Poll::Ready(answer)
            }
            CallProjection::Refused { answer } => {
                Poll::Ready(Ok(answer.take().expect("a future is not polled after it was ready")))
            }
        }
    }
}
