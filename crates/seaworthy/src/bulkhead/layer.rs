//! A bulkhead around an HTTP client.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use super::{Bulkhead, Entering, Place};
use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Wraps clients in [`BulkheadService`]. All of them share the places, and so do clones.
#[derive(Debug, Clone)]
pub struct BulkheadLayer(Bulkhead);

impl BulkheadLayer {
    /// Calls go through `bulkhead`, one place each.
    pub fn new(bulkhead: Bulkhead) -> Self {
        Self(bulkhead)
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService { inner, bulkhead: self.0.clone() }
    }
}

/// Calls when there is a place, and answers 503 with the reason [`Reason::BulkheadFull`] when there is none. The place is
/// held until the head of the answer is there.
#[derive(Debug, Clone)]
pub struct BulkheadService<S> {
    inner: S,
    bulkhead: Bulkhead,
}

impl<S, B, R> Service<Request<B>> for BulkheadService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BulkheadFuture<S, Request<B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was made ready goes along with the request; a fresh clone takes its place.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let entering = self.bulkhead.enter();
        BulkheadFuture { state: BulkheadState::Entering { entering, call: Some((inner, request)) } }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`BulkheadService`].
    pub struct BulkheadFuture<S: Service<Q>, Q> {
        #[pin]
        state: BulkheadState<S, Q>,
    }
}

pin_project_lite::pin_project! {
    #[project = BulkheadStateProjection]
    enum BulkheadState<S: Service<Q>, Q> {
        Entering { #[pin] entering: Entering, call: Option<(S, Q)> },
        Calling { #[pin] answer: S::Future, place: Place },
    }
}

impl<S: Service<Q>, Q> std::fmt::Debug for BulkheadFuture<S, Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BulkheadFuture").finish_non_exhaustive()
    }
}

impl<S, B, R> Future for BulkheadFuture<S, Request<B>>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                BulkheadStateProjection::Calling { answer, .. } => return answer.poll(cx),
                BulkheadStateProjection::Entering { entering, call } => {
                    let entered = ready!(entering.poll(cx));
                    let (mut inner, request) = call.take().expect("a future is not polled after it was ready");
                    let Ok(place) = entered else {
                        let refusal = Refusal::new(Reason::BulkheadFull).retry_after(1);
                        return Poll::Ready(Ok(refusal.respond(&Correlation::of(&request))));
                    };
                    let answer = inner.call(request);
                    this.state.set(BulkheadState::Calling { answer, place });
                }
            }
        }
    }
}
