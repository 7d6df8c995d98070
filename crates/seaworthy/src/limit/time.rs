//! How long a request may take until its answer begins. Streams may last longer: only the head is timed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use seaworthy_core::refusal::Reason;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Wraps services in [`TimeLimit`].
#[derive(Debug, Clone, Copy)]
pub struct TimeLimitLayer(Duration);

impl TimeLimitLayer {
    /// Answers 504 when the head of the answer takes longer than `limit`.
    pub fn new(limit: Duration) -> Self {
        Self(limit)
    }
}

impl<S> Layer<S> for TimeLimitLayer {
    type Service = TimeLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeLimit { inner, limit: self.0 }
    }
}

/// Answers 504 in time.
#[derive(Debug, Clone)]
pub struct TimeLimit<S> {
    inner: S,
    limit: Duration,
}

impl<S, B, R> Service<Request<B>> for TimeLimit<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = TimeLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let to = Correlation::of(&request);
        TimeLimitFuture { answer: self.inner.call(request), deadline: None, limit: self.limit, to }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`TimeLimit`].
    #[derive(Debug)]
    pub struct TimeLimitFuture<F> {
        #[pin]
        answer: F,
        // Made when the answer was not there at once, so that a quick one costs no timer.
        #[pin]
        deadline: Option<Sleep>,
        limit: Duration,
        to: Correlation,
    }
}

impl<F, R, E> Future for TimeLimitFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: ProblemBody,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(answer) = this.answer.poll(cx) {
            return Poll::Ready(answer);
        }
        if this.deadline.is_none() {
            this.deadline.set(Some(sleep(*this.limit)));
        }
        match this.deadline.as_pin_mut().map(|deadline| deadline.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Ok(Refusal::new(Reason::UpstreamTimeout).respond(this.to))),
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
                sleep(duration).await;
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
