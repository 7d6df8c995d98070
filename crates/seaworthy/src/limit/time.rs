//! How long a request may take until its answer begins. Streams may last longer: only the head is timed.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::limit::time::TimeLimitLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
//! let service = ServiceBuilder::new().layer(TimeLimitLayer::new(Duration::from_secs(5))).service(service_fn(async |_| {
//!     tokio::time::sleep(Duration::from_secs(60)).await;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! }));
//! let Ok(answer) = service.oneshot(Request::new(())).await;
//! assert_eq!(answer.status(), 504);
//! # });
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Who tells that a time has passed. A server with many requests may have something cheaper than a timer for each.
pub trait Timer {
    /// What completes when the time has passed.
    type Sleep: Future<Output = ()>;

    /// Completes after `duration`, never before.
    fn sleep(&self, duration: Duration) -> Self::Sleep;
}

/// The timers of tokio.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    type Sleep = tokio::time::Sleep;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }
}

/// Wraps services in [`TimeLimit`].
#[derive(Debug, Clone, Copy)]
pub struct TimeLimitLayer<T = TokioTimer> {
    limit: Duration,
    timer: T,
}

impl TimeLimitLayer {
    /// Answers 504 when the head of the answer takes longer than `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { limit, timer: TokioTimer }
    }
}

impl<T> TimeLimitLayer<T> {
    /// Goes by another timer.
    pub fn timer<U>(self, timer: U) -> TimeLimitLayer<U> {
        TimeLimitLayer { limit: self.limit, timer }
    }
}

impl<S, T: Clone> Layer<S> for TimeLimitLayer<T> {
    type Service = TimeLimit<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeLimit { inner, layer: self.clone() }
    }
}

/// Answers 504 in time.
#[derive(Debug, Clone)]
pub struct TimeLimit<S, T = TokioTimer> {
    inner: S,
    layer: TimeLimitLayer<T>,
}

impl<S, B, R, T> Service<Request<B>> for TimeLimit<S, T>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
    T: Timer + Clone,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = TimeLimitFuture<S::Future, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let to = Correlation::of(&request);
        TimeLimitFuture { answer: self.inner.call(request), deadline: None, layer: self.layer.clone(), to }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`TimeLimit`].
    pub struct TimeLimitFuture<F, T: Timer> {
        #[pin]
        answer: F,
        #[pin]
        deadline: Option<T::Sleep>,
        layer: TimeLimitLayer<T>,
        to: Correlation,
    }
}

impl<F, T: Timer> std::fmt::Debug for TimeLimitFuture<F, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeLimitFuture").finish_non_exhaustive()
    }
}

impl<F, R, E, T> Future for TimeLimitFuture<F, T>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: ProblemBody,
    T: Timer,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(answer) = this.answer.poll(cx) {
            return Poll::Ready(answer);
        }
        this.layer.poll_late(this.deadline, cx).map(|refusal| Ok(refusal.respond(this.to)))
    }
}

impl<T: Timer> TimeLimitLayer<T> {
    /// Asked when the answer is not there yet: what is said when it is too late for it. The `deadline` is made with the first question,
    /// so that a quick answer costs no timer.
    pub(crate) fn poll_late(&self, mut deadline: Pin<&mut Option<T::Sleep>>, cx: &mut Context<'_>) -> Poll<Refusal> {
        if deadline.is_none() {
            deadline.set(Some(self.timer.sleep(self.limit)));
        }
        match deadline.as_pin_mut().map(|deadline| deadline.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Refusal::new(Reason::UpstreamTimeout)),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;
    use std::convert::Infallible;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    async fn status_after(duration: Duration) -> u16 {
        let service = ServiceBuilder::new().layer(TimeLimitLayer::new(Duration::from_secs(2))).service(service_fn(
            move |_: Request<()>| async move {
                tokio::time::sleep(duration).await;
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            },
        ));
        service.oneshot(Request::new(())).await.unwrap().status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_too_long_is_a_504() {
        assert_eq!(status_after(Duration::from_millis(1999)).await, 200);
        assert_eq!(status_after(Duration::from_millis(2001)).await, 504);
    }
}
