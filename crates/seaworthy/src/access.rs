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

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, Version, header};
use http_body::Body;
use seaworthy_core::event::{Protocol, RequestFinished, UpstreamFacts};
use seaworthy_core::refusal::Reason;
use seaworthy_core::trace::RequestSpan;
use tower_layer::Layer;
use tower_service::Service;

pub use body::{AnswerBody, CountedBody};

use crate::context::RequestContext;
use crate::trace;

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

/// What a proxy says of its upstream's part.
#[derive(Debug, Clone)]
pub struct Upstreamed {
    /// Where the request went: host and port.
    pub address: Arc<str>,
    /// Until the head of its answer.
    pub time: Duration,
    /// How often it was sent; 1 where once was enough.
    pub attempts: u8,
}

/// What is learnt of a request while it runs, by those that are not asked for an answer. In the
/// [`RequestContext`], because the extensions of an answer would cost a map of their own. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Learnt(Arc<LearntInner>);

#[derive(Debug, Default)]
struct LearntInner {
    bytes_in: AtomicU64,
    upstream: OnceLock<Upstreamed>,
    route: OnceLock<Arc<str>>,
}

impl Learnt {
    /// Says where the request went. Only the first word counts.
    pub fn upstream(&self, upstream: Upstreamed) {
        let _ = self.0.upstream.set(upstream);
    }

    /// Says which pattern the path matched, as a router knows it. Only the first word counts, and a header's counts more.
    pub fn route(&self, route: Arc<str>) {
        let _ = self.0.route.set(route);
    }

    fn bytes_in(&self, count: u64) {
        self.0.bytes_in.fetch_add(count, Ordering::Relaxed);
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
        let AccessLayer { observer, route_header } = &self.layer;
        let (record, request) = Record::begin(request, observer.clone());
        AccessFuture {
            answer: self.inner.call(request),
            record: Some(Box::new(record)),
            route_header: route_header.clone(),
        }
    }
}

/// A request under way. Finishes itself when dropped.
#[derive(Debug)]
struct Record<O: Observer> {
    observer: O,
    started: Instant,
    method: Method,
    uri: Uri,
    version: Version,
    user_agent: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
    span: Option<RequestSpan>,
    request_id: Option<HeaderValue>,
    client: Option<IpAddr>,
    learnt: Learnt,
    answered: Option<Answered>,
    bytes_out: u64,
    /// The answer was given to its end.
    whole: bool,
}

/// What the head of the answer said.
#[derive(Debug)]
struct Answered {
    status: u16,
    first_byte: Duration,
    refusal: Option<Reason>,
    route: Option<HeaderValue>,
}

impl<O: Observer> Record<O> {
    fn begin<B: Body>(mut request: Request<B>, observer: O) -> (Self, Request<CountedBody<B>>) {
        observer.started();
        let learnt = Learnt::default();
        RequestContext::of_mut(request.extensions_mut()).learnt = Some(learnt.clone());
        let headers = request.headers();
        let context = RequestContext::of(request.extensions());
        let record = Self {
            observer,
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            traceparent: headers.get(trace::TRACEPARENT).cloned(),
            span: context.and_then(|context| context.span),
            request_id: context.and_then(|context| context.request_id.clone()),
            client: context.and_then(|context| context.client),
            learnt: learnt.clone(),
            answered: None,
            bytes_out: 0,
            whole: false,
        };
        (record, request.map(|body| CountedBody::new(body, learnt)))
    }

    fn answered<R>(&mut self, answer: &mut Response<R>, route_header: Option<&HeaderName>) {
        self.answered = Some(Answered {
            status: answer.status().as_u16(),
            first_byte: self.started.elapsed(),
            refusal: answer.extensions().get().copied(),
            route: route_header.and_then(|header| answer.headers_mut().remove(header)),
        });
    }
}

impl<O: Observer> Drop for Record<O> {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let answered = self.answered.as_ref();
        let trace_id = self.traceparent.as_ref().and_then(|value| trace::trace_id(value.as_bytes()));
        self.observer.finished(&RequestFinished {
            request_id: self.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default(),
            trace_id,
            span: self.span,
            method: self.method.as_str(),
            path: self.uri.path(),
            query: self.uri.query(),
            route: answered
                .and_then(|answered| answered.route.as_ref()?.to_str().ok())
                .or_else(|| self.learnt.0.route.get().map(|route| &**route)),
            status: answered.map_or(CLIENT_LEFT, |answered| answered.status),
            protocol: match self.version {
                Version::HTTP_2 => Protocol::Http2,
                Version::HTTP_11 => Protocol::Http11,
                _ => Protocol::Http10,
            },
            client: self.client,
            user_agent: self.user_agent.as_ref().map(HeaderValue::as_bytes),
            bytes_in: self.learnt.0.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out,
            duration,
            first_byte: answered.map_or(duration, |answered| answered.first_byte),
            upstream: self.learnt.0.upstream.get().map(|upstream| UpstreamFacts {
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
        // In a box, because it moves through every layer outside of this one.
        record: Option<Box<Record<O>>>,
        route_header: Option<HeaderName>,
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
            record.answered(&mut answer, this.route_header.as_ref());
        }
        Poll::Ready(Ok(answer.map(|body| AnswerBody::new(body, this.record.take()))))
    }
}

#[cfg(test)]
mod tests;
