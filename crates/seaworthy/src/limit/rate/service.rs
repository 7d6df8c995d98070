//! The layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Request, Response};
use seaworthy_core::event::Sink;
use seaworthy_core::limit::Decision;
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use super::limiter::{Counts, Limiter};
use super::settings::RateLimit;
use super::stamp::{self, Allowance};
use crate::clock;
use crate::context::{Correlation, RequestContext};
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
        RateLimited { inner, layer: self.clone() }
    }
}

/// Answers 429 to one request too many. Clones share the allowances.
#[derive(Debug, Clone)]
pub struct RateLimited<S> {
    inner: S,
    layer: RateLimitLayer,
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
        let (path, context) = (request.uri().path(), RequestContext::of(request.extensions()));
        let allowance = match self.layer.decide(path, context, request.headers(), clock::now()) {
            Verdict::Unlimited => None,
            Verdict::Allowed(allowance) => self.layer.most().map(|most| (allowance, most)),
            Verdict::Refused(refused) => {
                let refused = Some((refused, Correlation::of(&request)));
                return RateLimitFuture { state: State::Refused { refused } };
            }
        };
        RateLimitFuture { state: State::Served { answer: self.inner.call(request), allowance } }
    }
}

/// What becomes of a request.
pub(crate) enum Verdict {
    Unlimited,
    /// What its client may still ask for, which the answer tells.
    Allowed(Allowance),
    Refused(Refused),
}

impl RateLimitLayer {
    /// How much it allows at most, as headers say it.
    pub(crate) fn most(&self) -> Option<HeaderValue> {
        self.0.as_ref().map(|limiter| limiter.most.clone())
    }

    /// Counts a request with this head, and says what becomes of it.
    pub(crate) fn decide(
        &self,
        path: &str,
        context: Option<&RequestContext>,
        headers: &HeaderMap,
        now: Instant,
    ) -> Verdict {
        let Some(limiter) = &self.0 else { return Verdict::Unlimited };
        match limiter.decide(path, context, headers, now) {
            None => Verdict::Unlimited,
            Some(decision) if decision.allowed || limiter.settings.dry_run => {
                Verdict::Allowed(Allowance::of(&decision))
            }
            Some(decision) => Verdict::Refused(Refused { limiter: limiter.clone(), decision }),
        }
    }
}

/// One request too many.
pub(crate) struct Refused {
    limiter: Arc<Limiter>,
    decision: Decision,
}

pin_project_lite::pin_project! {
    /// The answer of [`RateLimited`].
    pub struct RateLimitFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Served { #[pin] answer: F, allowance: Option<(Allowance, HeaderValue)> },
        Refused { refused: Option<(Refused, Correlation)> },
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
        match self.project().state.project() {
            StateProjection::Served { answer, allowance } => {
                let mut answer = ready!(answer.poll(cx))?;
                if let Some((allowance, most)) = allowance.take() {
                    allowance.put(most, answer.headers_mut());
                }
                Poll::Ready(Ok(answer))
            }
            StateProjection::Refused { refused } => {
                let (refused, to) = refused.take().expect("a future is not polled after it was ready");
                Poll::Ready(Ok(refused.respond(&to)))
            }
        }
    }
}

impl Refused {
    pub(crate) fn respond<R: ProblemBody>(&self, to: &Correlation) -> Response<R> {
        let (limit, decision) = (&self.limiter.settings.limit, &self.decision);
        let rate = limit.rate();
        let detail = format!("at most {} requests in {} seconds", rate.count(), rate.period().as_secs());
        let refusal =
            Refusal::new(Reason::RateLimited).detail(detail).retry_after(stamp::seconds(decision.retry_after).max(1));
        let mut answer = refusal.respond(to);
        Allowance::of(decision).put(self.limiter.most.clone(), answer.headers_mut());
        stamp::policy(answer.headers_mut(), limit, decision);
        answer
    }
}
