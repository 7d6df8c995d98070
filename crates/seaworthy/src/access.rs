//! One fact a request: [`RequestFinished`], given to an [`Observer`] when the answer has ended.
//!
//! # Rules
//!
//! - A request ends with the last byte of its answer, not with the head.
//! - A client that leaves ends it too: the fact says `aborted`, with status 499 where no head was sent. Nothing is left
//!   in flight (axum and tower-http gauges leak here: a future that is dropped runs no code after its `await`).
//! - Every request that was started is finished exactly once.
//!
//! # Example
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use seaworthy::access::{AccessLayer, Observer};
//! use seaworthy::core::event::RequestFinished;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! #[derive(Clone, Default)]
//! struct Seen(Arc<Mutex<Vec<String>>>);
//!
//! impl Observer for Seen {
//!     fn finished(&self, request: &RequestFinished<'_>) {
//!         let line = format!("{} {} {} {}", request.method, request.path, request.status, request.bytes_out);
//!         self.0.lock().unwrap().push(line);
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let seen = Seen::default();
//! let service = ServiceBuilder::new()
//!     .layer(AccessLayer::new(seen.clone()))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let Ok(answer) = service.oneshot(Request::get("/orders").body(Full::<Bytes>::default()).unwrap()).await;
//! assert!(seen.0.lock().unwrap().is_empty(), "the head is not the end");
//! answer.into_body().collect().await.unwrap();
//! assert_eq!(*seen.0.lock().unwrap(), ["GET /orders 200 5"]);
//! # });
//! ```

mod body;
mod learnt;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Request, Response, Version};
use http_body::Body;
use seaworthy_core::event::{Protocol, RequestFinished, UpstreamFacts};
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

pub use body::{AnswerBody, CountedBody};
pub use learnt::{Learnt, Upstreamed};

pub(crate) use learnt::Head;
use learnt::{Asked, LearntInner};

use crate::clock;
use crate::context::{Correlation, RequestContext};

/// The status of a request whose client left before there was one. nginx coined it.
const CLIENT_LEFT: u16 = 499;

/// Is told of requests. A clone observes for the same consumer.
pub trait Observer: Clone {
    /// A request began.
    fn started(&self) {}

    /// It is over.
    fn finished(&self, request: &RequestFinished<'_>);
}

/// Both are told, in order.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn started(&self) {
        self.0.started();
        self.1.started();
    }

    fn finished(&self, request: &RequestFinished<'_>) {
        self.0.finished(request);
        self.1.finished(request);
    }
}

/// Wraps services in [`Access`].
#[derive(Debug, Clone)]
pub struct AccessLayer<O> {
    observer: O,
    route_header: Option<HeaderName>,
}

impl<O: Observer> AccessLayer<O> {
    /// Reports to `observer`, one fact a request.
    pub fn new(observer: O) -> Self {
        Self { observer, route_header: None }
    }

    /// Learns the route from this header of the answer and takes it off.
    #[must_use]
    pub fn route_header(mut self, header: HeaderName) -> Self {
        self.route_header = Some(header);
        self
    }

    /// Begins to watch over a request with this head. Its body is to be [`Record::counted`].
    pub(crate) fn begin(&self, context: &mut RequestContext, head: &Head<'_>) -> Record<O> {
        Record::begin(context, head, self.observer.clone(), self.route_header.as_ref())
    }
}

impl<S, O: Clone> Layer<S> for AccessLayer<O> {
    type Service = Access<S, O>;

    fn layer(&self, inner: S) -> Self::Service {
        Access { inner, layer: self.clone() }
    }
}

/// Reports each request to an [`Observer`].
#[derive(Debug, Clone)]
pub struct Access<S, O> {
    inner: S,
    layer: AccessLayer<O>,
}

impl<S, O, B, R> Service<Request<B>> for Access<S, O>
where
    S: Service<Request<CountedBody<B>>, Response = Response<R>>,
    O: Observer,
    B: Body,
    R: Body,
{
    type Response = Response<AnswerBody<R, O>>;
    type Error = S::Error;
    type Future = AccessFuture<S::Future, O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let Parts { method, uri, version, headers, extensions, .. } = &mut head;
        let head_of_it = Head { method, uri, version: *version, headers };
        let record = self.layer.begin(RequestContext::of_mut(extensions), &head_of_it);
        let request = Request::from_parts(head, record.counted(body));
        AccessFuture { answer: self.inner.call(request), record: Some(record) }
    }
}

/// A request under way. Finishes itself when dropped. Small, because it moves through every layer outside of this one: what does not
/// change is in [`Learnt`].
#[derive(Debug)]
pub(crate) struct Record<O: Observer> {
    observer: O,
    learnt: Learnt,
    answered: Option<Answered>,
    bytes_out: u64,
    /// The answer was given to its end.
    whole: bool,
}

/// What the head of the answer said.
#[derive(Debug, Clone, Copy)]
struct Answered {
    status: u16,
    refusal: Option<Reason>,
    first_byte: Duration,
}

impl<O: Observer> Record<O> {
    fn begin(context: &mut RequestContext, head: &Head<'_>, observer: O, route_header: Option<&HeaderName>) -> Self {
        observer.started();
        let learnt = Learnt(Arc::new(LearntInner {
            asked: Asked::of(context, head, route_header),
            bytes_in: AtomicU64::new(0),
            upstream: OnceLock::new(),
            route: OnceLock::new(),
            told_route: OnceLock::new(),
        }));
        context.learnt = Some(learnt.clone());
        Self { observer, learnt, answered: None, bytes_out: 0, whole: false }
    }

    pub(crate) fn counted<B: Body>(&self, body: B) -> CountedBody<B> {
        CountedBody::new(body, &self.learnt)
    }

    /// To whom a refusal goes.
    pub(crate) fn correlation(&self) -> Correlation {
        Correlation::kept(&self.learnt)
    }

    pub(crate) fn request_id(&self) -> Option<&HeaderValue> {
        self.learnt.request_id()
    }

    /// The head of the answer is there.
    pub(crate) fn answered<R>(&mut self, answer: &mut Response<R>) {
        let LearntInner { asked, told_route, .. } = &*self.learnt.0;
        self.answered = Some(Answered {
            status: answer.status().as_u16(),
            refusal: answer.extensions().get().copied(),
            first_byte: clock::now().saturating_duration_since(asked.started),
        });
        if let Some(header) = &asked.route_header
            && let Some(route) = answer.headers_mut().remove(header)
        {
            // Nobody else sets it.
            let _ = told_route.set(route);
        }
    }
}

impl<O: Observer> Drop for Record<O> {
    fn drop(&mut self) {
        let LearntInner { asked, bytes_in, upstream, route, told_route } = &*self.learnt.0;
        let now = clock::now();
        let duration = now.saturating_duration_since(asked.started);
        let answered = self.answered;
        self.observer.finished(&RequestFinished {
            request_id: asked.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default(),
            trace_id: asked.trace_id,
            span: asked.span,
            method: asked.method.as_str(),
            path: asked.target.as_ref().map_or("", PathAndQuery::path),
            query: asked.target.as_ref().and_then(PathAndQuery::query),
            route: told_route.get().and_then(|route| route.to_str().ok()).or_else(|| Some(route.get()?.as_str())),
            status: answered.map_or(CLIENT_LEFT, |answered| answered.status),
            protocol: match asked.version {
                Version::HTTP_2 => Protocol::Http2,
                Version::HTTP_11 => Protocol::Http11,
                _ => Protocol::Http10,
            },
            client: asked.client,
            user_agent: asked.user_agent.as_ref().map(HeaderValue::as_bytes),
            bytes_in: bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out,
            ended: clock::time_of_day(now),
            duration,
            first_byte: answered.map_or(duration, |answered| answered.first_byte),
            upstream: upstream.get().map(|upstream| UpstreamFacts {
                address: &upstream.address,
                time: upstream.time,
                attempts: upstream.attempts,
            }),
            refusal: answered.and_then(|answered| answered.refusal),
            aborted: !self.whole,
            quiet: false,
        });
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Access`].
    pub struct AccessFuture<F, O: Observer> {
        #[pin]
        answer: F,
        record: Option<Record<O>>,
    }
}

impl<F, O: Observer> std::fmt::Debug for AccessFuture<F, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessFuture").finish_non_exhaustive()
    }
}

impl<F, O, R, E> Future for AccessFuture<F, O>
where
    F: Future<Output = Result<Response<R>, E>>,
    O: Observer,
    R: Body,
{
    type Output = Result<Response<AnswerBody<R, O>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(cx))?;
        if let Some(record) = this.record {
            record.answered(&mut answer);
        }
        Poll::Ready(Ok(answer.map(|body| AnswerBody::new(body, this.record.take()))))
    }
}

#[cfg(test)]
mod tests;
