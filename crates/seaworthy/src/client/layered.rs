//! A client with all layers, of which none can be seen from outside: what they are may change.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::transport::BoxError;
use super::{AnswerBody, Refusing, Transport};
use crate::breaker::BreakerService;
use crate::bulkhead::BulkheadService;
use crate::hedge::HedgeService;
use crate::limit::time::TimeLimit;
use crate::retry::{RetryBody, RetryService};

/// Outermost first.
pub(super) type Layers<B> = TimeLimit<
    RetryService<HedgeService<BreakerService<BulkheadService<TimeLimit<Refusing<Transport<RetryBody<B>>>>>>>>,
>;

/// A client with all layers, made by [`Stack::over`](super::Stack::over). Clones share the breaker, the budget, the bulkhead and the pool of
/// connections.
pub struct Client<B>(Layers<B>);

impl<B> Client<B> {
    pub(super) fn new(layers: Layers<B>) -> Self {
        Self(layers)
    }
}

impl<B> Clone for Client<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> fmt::Debug for Client<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Client<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Buf + Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = ClientFuture<B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ClientFuture<B> {
        ClientFuture { answer: self.0.call(request) }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Client`].
    pub struct ClientFuture<B>
    where
        B: Body,
        B: Send,
        B: Unpin,
        B: 'static,
        B::Data: Buf,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        #[pin]
        answer: <Layers<B> as Service<Request<B>>>::Future,
    }
}

impl<B> fmt::Debug for ClientFuture<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Buf + Send,
    B::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFuture").finish_non_exhaustive()
    }
}

impl<B> Future for ClientFuture<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Buf + Send,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().answer.poll(cx)
    }
}
