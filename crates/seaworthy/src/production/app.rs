//! The service as the stack wants it: one that always answers, with a body that a refusal can be put into.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use seaworthy_core::event::{Event, Sink};
use seaworthy_core::redact::Redactor;
use seaworthy_core::refusal::Reason;
use tower_service::Service;

use crate::body::Body;
use crate::context::Correlation;
use crate::refusal::Refusal;

/// A service of somebody's, whose errors become answers.
///
/// hyper would close the connection without a word, and a client cannot tell that from a crash.
pub(super) struct App<S> {
    inner: S,
    sink: Arc<dyn Sink>,
}

impl<S> App<S> {
    pub(super) fn new(inner: S, sink: Arc<dyn Sink>) -> Self {
        Self { inner, sink }
    }
}

impl<S: Clone> Clone for App<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), sink: self.sink.clone() }
    }
}

impl<S> fmt::Debug for App<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl<S, Q, B> Service<Request<Q>> for App<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = AppFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let to = Correlation::of(&request);
        AppFuture { answer: self.inner.call(request), to, sink: self.sink.clone() }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`App`].
    pub(super) struct AppFuture<F> {
        #[pin]
        answer: F,
        to: Correlation,
        sink: Arc<dyn Sink>,
    }
}

impl<F, B, E> Future for AppFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<Response<Body<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match ready!(this.answer.poll(cx)) {
            Ok(answer) => Poll::Ready(Ok(answer.map(Body::new))),
            Err(error) => {
                let error: Box<dyn Error + Send + Sync> = error.into();
                let error = Redactor::default().text(&error.to_string()).into_owned();
                this.sink.emit(&Event::ServiceFailed { error, request_id: this.to.id() });
                Poll::Ready(Ok(Refusal::new(Reason::ServiceFailed).respond(this.to)))
            }
        }
    }
}
