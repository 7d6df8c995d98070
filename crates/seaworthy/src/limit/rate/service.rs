//! The layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use seaworthy_core::event::Sink;
use seaworthy_core::limit::Decision;
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use super::limiter::{Counts, Limiter};
use super::settings::RateLimit;
use super::stamp;
use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Wraps services in [`RateLimited`]. Clones, and all services that they wrap, share the allowances.
#[derive(Debug, Clone, Default)]
pub struct RateLimitLayer(Option<Arc<Limiter>>);

impl RateLimitLayer {
    /// Limits as `limit` says. The [`Default`] layer limits nothing.
    pub fn new(limit: impl Into<RateLimit>) -> Self {
        Self(Some(Arc::new(Limiter::new(limit.into(), None))))
    }

    /// The same, and `sink` hears of proxies that are not trusted.
    pub fn reporting(limit: impl Into<RateLimit>, sink: Arc<dyn Sink>) -> Self {
        Self(Some(Arc::new(Limiter::new(limit.into(), Some(sink)))))
    }

    /// What it has done since the start; `None` where it limits nothing.
    pub fn counts(&self) -> Option<Counts> {
        self.0.as_ref().map(|limiter| limiter.counts())
    }

    /// How many clients have used some of their allowance. Every table is looked at: it is for whoever reads metrics.
    pub fn keys(&self) -> usize {
        self.0.as_ref().map_or(0, |limiter| limiter.keys())
    }

    /// What the limit is called; `None` where it limits nothing.
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|limiter| &*limiter.settings.name)
    }

    /// To read its counts without keeping it.
    pub(crate) fn downgrade(&self) -> Weak<Limiter> {
        self.0.as_ref().map_or_else(Weak::new, Arc::downgrade)
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimited<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimited { inner, limiter: self.0.clone() }
    }
}

/// Answers 429 to one request too many. Clones share the allowances.
#[derive(Debug, Clone)]
pub struct RateLimited<S> {
    inner: S,
    limiter: Option<Arc<Limiter>>,
}

impl<S, B, R> Service<Request<B>> for RateLimited<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RateLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let decided = self.limiter.as_ref().and_then(|limiter| Some((limiter.decide(&request)?, limiter)));
        let Some((decision, limiter)) = decided else {
            return RateLimitFuture { answer: Some(self.inner.call(request)), stamp: None };
        };
        let stamp = |to| Some(Stamp { limiter: limiter.clone(), decision, to });
        if decision.allowed || limiter.settings.dry_run {
            let stamp = stamp(None);
            RateLimitFuture { answer: Some(self.inner.call(request)), stamp }
        } else {
            RateLimitFuture { answer: None, stamp: stamp(Some(Correlation::of(&request))) }
        }
    }
}

/// What is written onto an answer.
struct Stamp {
    limiter: Arc<Limiter>,
    decision: Decision,
    /// Who is refused.
    to: Option<Correlation>,
}

pin_project_lite::pin_project! {
    /// The answer of [`RateLimited`].
    pub struct RateLimitFuture<F> {
        #[pin]
        answer: Option<F>,
        stamp: Option<Stamp>,
    }
}

impl<F> fmt::Debug for RateLimitFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for RateLimitFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: ProblemBody,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.answer.as_pin_mut() {
            Some(answer) => Some(ready!(answer.poll(cx))?),
            None => None,
        };
        Poll::Ready(Ok(match (answer, this.stamp.take()) {
            (Some(answer), None) => answer,
            (Some(mut answer), Some(stamp)) => {
                stamp::allowance(answer.headers_mut(), &stamp.limiter.settings.limit, &stamp.decision);
                answer
            }
            (None, Some(stamp)) => stamp.refuse(),
            // Polled again after its end, which futures may answer as they like.
            (None, None) => return Poll::Pending,
        }))
    }
}

impl Stamp {
    fn refuse<R: ProblemBody>(self) -> Response<R> {
        let (limit, decision) = (&self.limiter.settings.limit, &self.decision);
        let rate = limit.rate();
        let detail = format!("at most {} requests in {} seconds", rate.count(), rate.period().as_secs());
        let refusal =
            Refusal::new(Reason::RateLimited).detail(detail).retry_after(stamp::seconds(decision.retry_after).max(1));
        let mut answer = refusal.respond(&self.to.unwrap_or_default());
        stamp::allowance(answer.headers_mut(), limit, decision);
        stamp::policy(answer.headers_mut(), limit, decision);
        answer
    }
}
