//! Requests that are sent a second time beside themselves.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use super::Hedge;
use super::race::{Race, Second};
use crate::retry::RetryBody;

/// Wraps clients in [`HedgeService`]. All of them share the [`Hedge`], and so do clones. The default sends nothing twice.
#[derive(Debug, Clone, Default)]
pub struct HedgeLayer {
    hedge: Option<Hedge>,
}

impl HedgeLayer {
    /// Second attempts as `hedge` says.
    pub fn new(hedge: Hedge) -> Self {
        Self { hedge: Some(hedge) }
    }
}

impl<S> Layer<S> for HedgeLayer {
    type Service = HedgeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HedgeService { inner, hedge: self.hedge.clone() }
    }
}

/// Sends a request again beside itself when it is slow. The answer of a second attempt has [`Hedged`] among its extensions.
#[derive(Debug, Clone)]
pub struct HedgeService<S> {
    inner: S,
    hedge: Option<Hedge>,
}

/// The answer is that of a second attempt. In the extensions of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedged;

impl<S, B, R> Service<Request<RetryBody<B>>> for HedgeService<S>
where
    S: Service<Request<RetryBody<B>>, Response = Response<R>> + Clone,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HedgeFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RetryBody<B>>) -> Self::Future {
        let hedge = self.hedge.as_ref().filter(|hedge| hedge.policy().methods.contain(request.method().as_str()));
        let Some((hedge, again)) = hedge.and_then(|hedge| Some((hedge.clone(), again(&request)?))) else {
            return HedgeFuture { race: Race::alone(self.inner.call(request)) };
        };
        let next = Again { inner: self.inner.clone(), request: Some(again), hedge: hedge.clone() };
        HedgeFuture { race: Race::new(self.inner.call(request), Some(next), hedge) }
    }
}

/// The same request, where its body is there whole.
fn again<B>(request: &Request<RetryBody<B>>) -> Option<Request<RetryBody<B>>> {
    let mut again = Request::new(request.body().again()?);
    again.method_mut().clone_from(request.method());
    again.uri_mut().clone_from(request.uri());
    again.headers_mut().clone_from(request.headers());
    again.extensions_mut().clone_from(request.extensions());
    *again.version_mut() = request.version();
    Some(again)
}

/// Sends a request again.
struct Again<S, B> {
    inner: S,
    request: Option<Request<RetryBody<B>>>,
    hedge: Hedge,
}

impl<S, B, R> Second<S::Future> for Again<S, B>
where
    S: Service<Request<RetryBody<B>>, Response = Response<R>>,
{
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Future>> {
        let ready = ready!(self.inner.poll_ready(cx)).is_ok();
        let request = self.request.take().filter(|_| ready);
        Poll::Ready(request.map(|request| self.inner.call(request)))
    }

    fn is_failure(&self, answer: &Result<Response<R>, S::Error>) -> bool {
        let Ok(answer) = answer else { return true };
        let passes = &self.hedge.inner.retry.policy().statuses;
        // A refusal of ours says nothing of the service: a breaker that admits no second probe, say.
        answer.extensions().get::<Reason>().is_some() || passes.contains(&answer.status().as_u16())
    }

    fn sign(&self, answer: &mut Result<Response<R>, S::Error>) {
        if let Ok(answer) = answer {
            answer.extensions_mut().insert(Hedged);
        }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`HedgeService`]. Dropped, it drops both attempts.
    pub struct HedgeFuture<S: Service<Request<RetryBody<B>>>, B> {
        #[pin]
        race: Race<S::Future, Again<S, B>>,
    }
}

impl<S: Service<Request<RetryBody<B>>>, B> fmt::Debug for HedgeFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeFuture").finish_non_exhaustive()
    }
}

impl<S, B, R> Future for HedgeFuture<S, B>
where
    S: Service<Request<RetryBody<B>>, Response = Response<R>>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().race.poll(cx)
    }
}
