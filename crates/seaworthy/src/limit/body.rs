//! How large the body of a request may be; and whoever sends one too slowly is told so here.
//!
//! A length that is declared is refused before a byte of it is read. One that is not is counted, and the request is
//! refused at the byte that is too much: the service sees an error of its body, and its answer is replaced. So is that to a body that
//! the server broke off, because it came more slowly than [`ConnectionLimits`](crate::server::ConnectionLimits) allow.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::limit::body::BodyLimitLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(BodyLimitLayer::new(4))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let answer = service.oneshot(Request::new(Full::<Bytes>::from("12345"))).await.unwrap();
//! assert_eq!((answer.status().as_u16(), &answer.headers()["connection"]), (413, &"close".parse().unwrap()));
//! # });
//! ```

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::{Correlation, RequestContext};
use crate::refusal::{ProblemBody, Refusal};
use crate::server::Meter;

/// Wraps services in [`BodyLimit`].
#[derive(Debug, Clone, Copy)]
pub struct BodyLimitLayer(u64);

impl BodyLimitLayer {
    /// At most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self(limit)
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyLimit { inner, layer: *self }
    }
}

/// Answers 413 to a body that is too large, and 408 to one that came too slowly.
#[derive(Debug, Clone)]
pub struct BodyLimit<S> {
    inner: S,
    layer: BodyLimitLayer,
}

impl<S, B, R> Service<Request<B>> for BodyLimit<S>
where
    S: Service<Request<LimitedBody<B>>, Response = Response<R>>,
    B: Body,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BodyLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let watched = self.layer.watch(&request.body().size_hint(), RequestContext::of(request.extensions()));
        let to = watched.as_ref().map_or_else(Correlation::default, |_| Correlation::of(&request));
        if watched.as_ref().is_some_and(|watched| watched.complaint().is_some()) {
            return BodyLimitFuture { answer: None, watched, to };
        }
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, self.layer.limited(body, watched.as_ref()));
        BodyLimitFuture { answer: Some(self.inner.call(request)), watched, to }
    }
}

/// A request whose body may turn out to be too large, or too slow. In common with the body.
#[derive(Debug)]
pub(crate) struct Watched {
    limit: u64,
    exceeded: AtomicBool,
    meter: Option<Arc<Meter>>,
}

impl Watched {
    /// Why the request is refused whatever the service answers, if it is.
    pub(crate) fn complaint(&self) -> Option<Refusal> {
        if self.exceeded.load(Ordering::Relaxed) {
            let detail = format!("at most {} bytes are accepted", self.limit);
            return Some(Refusal::new(Reason::BodyTooLarge).detail(detail));
        }
        let slow = self.meter.as_ref().is_some_and(|meter| meter.is_expired());
        slow.then(|| Refusal::new(Reason::RequestTooSlow))
    }
}

impl BodyLimitLayer {
    /// `None` where a body of this size can be neither too large nor too slow: a length that is known and fits cannot be exceeded,
    /// since HTTP frames it.
    pub(crate) fn watch(self, size: &SizeHint, context: Option<&RequestContext>) -> Option<Arc<Watched>> {
        let Self(limit) = self;
        let meter = context.and_then(|context| context.meter.as_ref());
        let fits = meter.is_none() && size.upper().is_some_and(|most| most <= limit);
        let exceeded = AtomicBool::new(size.lower() > limit);
        (!fits).then(|| Arc::new(Watched { limit, exceeded, meter: meter.cloned() }))
    }

    /// The body of a request as its service gets it.
    pub(crate) fn limited<B>(self, body: B, watched: Option<&Arc<Watched>>) -> LimitedBody<B> {
        LimitedBody { body: Some(body), left: self.0, watched: watched.cloned() }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`BodyLimit`].
    #[derive(Debug)]
    pub struct BodyLimitFuture<F> {
        #[pin]
        answer: Option<F>,
        watched: Option<Arc<Watched>>,
        to: Correlation,
    }
}

impl<F, R, E> Future for BodyLimitFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: ProblemBody,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.answer.as_pin_mut() {
            Some(answer) => Some(ready!(answer.poll(cx))),
            None => None,
        };
        match (this.watched.as_ref().and_then(|watched| watched.complaint()), answer) {
            (Some(refusal), _) => Poll::Ready(Ok(refusal.respond(this.to))),
            (None, Some(answer)) => Poll::Ready(answer),
            // What is not served has a complaint.
            (None, None) => Poll::Pending,
        }
    }
}

pin_project_lite::pin_project! {
    /// A body that ends with an error where it gets too large.
    #[derive(Debug)]
    pub struct LimitedBody<B> {
        #[pin]
        body: Option<B>,
        left: u64,
        watched: Option<Arc<Watched>>,
    }
}

/// An empty body.
impl<B> Default for LimitedBody<B> {
    fn default() -> Self {
        Self { body: None, left: 0, watched: None }
    }
}

/// What reading a [`LimitedBody`] can fail with.
#[derive(Debug)]
#[non_exhaustive]
pub enum LimitedBodyError<E> {
    /// The body itself failed.
    Body(E),
    /// It was larger than allowed.
    TooLarge,
}

impl<E: fmt::Display> fmt::Display for LimitedBodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::TooLarge => f.write_str("the body is larger than allowed"),
        }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<LimitedBodyError<E>> for Box<dyn Error + Send + Sync> {
    fn from(error: LimitedBodyError<E>) -> Self {
        match error {
            LimitedBodyError::Body(error) => error.into(),
            LimitedBodyError::TooLarge => "the body is larger than allowed".into(),
        }
    }
}

impl<B: Body> Body for LimitedBody<B> {
    type Data = B::Data;
    type Error = LimitedBodyError<B::Error>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let frame = match ready!(body.poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(frame) => frame.map_err(LimitedBodyError::Body)?,
        };
        let size = frame.data_ref().map_or(0, Buf::remaining) as u64;
        match (this.left.checked_sub(size), this.watched) {
            (Some(left), _) => *this.left = left,
            (None, watched) => {
                if let Some(watched) = watched {
                    watched.exceeded.store(true, Ordering::Relaxed);
                }
                return Poll::Ready(Some(Err(LimitedBodyError::TooLarge)));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use std::convert::Infallible;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    /// A body whose length nobody knows beforehand.
    struct Chunks(Vec<&'static str>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready((!self.0.is_empty()).then(|| Ok(Frame::data(Bytes::from(self.0.remove(0))))))
        }
    }

    async fn status<B>(body: B) -> u16
    where
        B: Body<Data = Bytes, Error: fmt::Debug> + Send + 'static,
    {
        let service = ServiceBuilder::new().layer(BodyLimitLayer::new(8)).service(service_fn(
            |request: Request<LimitedBody<B>>| async {
                let read = request.into_body().collect().await;
                let answer = Response::builder().status(if read.is_ok() { 200 } else { 500 });
                Ok::<_, Infallible>(answer.body(Full::<Bytes>::default()).unwrap())
            },
        ));
        service.oneshot(Request::new(body)).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_declared_length_is_refused_before_it_is_read() {
        assert_eq!(status(Full::new(Bytes::from("12345678"))).await, 200);
        assert_eq!(status(Full::new(Bytes::from("123456789"))).await, 413);
    }

    #[tokio::test]
    async fn an_undeclared_length_is_refused_at_the_byte_that_is_too_much() {
        assert_eq!(status(Chunks(vec!["1234", "5678"])).await, 200);
        assert_eq!(status(Chunks(vec!["1234", "56789"])).await, 413);
    }
}
