//! W3C trace context: `traceparent` passes through as it came, is begun where there is none, or names our own span.
//!
//! # Rules
//!
//! - A valid `traceparent` is rewritten only where spans are exported: a parent id that no exporter knows would tear the tree
//!   apart (Trace Context, 4.2: whoever takes no part passes both headers on).
//! - [`TraceContextLayer::begin`] is off by default. A trace begun here has to say whether it is sampled, and either
//!   answer overrules the sampler of the service: `00` silences a parent-based one, `01` defeats a ratio.
//! - With [`TraceContextLayer::spans`] each request has spans of its own, in [`RequestContext::span`], whether they are sampled
//!   or not: an error is exported all the same, and its ids must be those that the next one was told.
//!
//! Source: <https://www.w3.org/TR/trace-context/>.
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::trace::TraceContextLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let service = ServiceBuilder::new().layer(TraceContextLayer::default().begin(true)).service(service_fn(async |request: Request<()>| {
//!     let begun = request.headers()["traceparent"].to_str().unwrap().to_owned();
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(begun)))
//! }));
//! let Ok(answer) = service.oneshot(Request::new(())).await;
//! assert!(http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes().starts_with(b"00-"));
//! # });
//! ```

use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use seaworthy_core::trace::{RequestSpan, Sampler, SpanId, TraceId, Traceparent};
use tower_layer::Layer;
use tower_service::Service;

use crate::context::RequestContext;

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Wraps services in [`TraceContext`].
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceContextLayer {
    begin: bool,
    spans: Option<Spans>,
}

/// How spans are made.
#[derive(Debug, Clone, Copy)]
struct Spans {
    sampler: Sampler,
    /// Whether the service inside calls somebody else, which is a span of its own.
    forwards: bool,
}

impl TraceContextLayer {
    /// Begins a trace, sampled, for a request that brings no valid one.
    #[must_use]
    pub fn begin(self, begin: bool) -> Self {
        Self { begin, ..self }
    }

    /// Gives each request a span, continuing the trace that it brings, and tells the service inside that this span is its
    /// parent. Who observes requests exports it.
    #[must_use]
    pub fn spans(self, sampler: Sampler) -> Self {
        Self { spans: Some(Spans { sampler, forwards: false }), ..self }
    }

    /// As [`TraceContextLayer::spans`], unless it was said already how they are made.
    #[cfg(feature = "otlp")]
    pub(crate) fn spans_else(self, sampler: Sampler) -> Self {
        if self.spans.is_some() { self } else { self.spans(sampler) }
    }

    /// As [`TraceContextLayer::spans`], for a proxy: the call to whoever is behind it is a second span, and the parent of
    /// what happens there.
    #[must_use]
    pub fn spans_of_proxy(self, sampler: Sampler) -> Self {
        Self { spans: Some(Spans { sampler, forwards: true }), ..self }
    }
}

impl Spans {
    fn begin(self, headers: &mut HeaderMap) -> RequestSpan {
        let sent = headers.get(TRACEPARENT).and_then(|value| Traceparent::parse(value.as_bytes()));
        let trace = sent.map_or_else(|| TraceId::from_random(fastrand::u128(..)), |sent| sent.trace);
        let id = || SpanId::from_random(fastrand::u64(..));
        let span = RequestSpan {
            trace,
            parent: sent.map(|sent| sent.parent),
            server: id(),
            client: self.forwards.then(id),
            sampled: self.sampler.samples(sent, trace),
        };
        if sent.is_none() {
            // It belonged to a trace that nobody can read.
            headers.remove(TRACESTATE);
        }
        headers.insert(TRACEPARENT, header_of(&span.traceparent()));
        span
    }
}

/// A `traceparent` header.
fn header_of(parent: &Traceparent) -> HeaderValue {
    HeaderValue::from_bytes(&parent.header()).expect("hexadecimal digits and hyphens are visible ASCII")
}

impl<S> Layer<S> for TraceContextLayer {
    type Service = TraceContext<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TraceContext { inner, layer: *self }
    }
}

/// Sees to it that requests carry a trace, where that is wanted.
#[derive(Debug, Clone)]
pub struct TraceContext<S> {
    inner: S,
    layer: TraceContextLayer,
}

impl<S, B> Service<Request<B>> for TraceContext<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(spans) = self.layer.spans {
            let span = spans.begin(request.headers_mut());
            RequestContext::of_mut(request.extensions_mut()).span = Some(span);
        } else if self.layer.begin {
            let headers = request.headers_mut();
            let sent = headers.get(TRACEPARENT);
            if sent.and_then(|value| trace_id(value.as_bytes())).is_none() {
                headers.insert(TRACEPARENT, new_traceparent());
                // It belonged to a trace that nobody can read.
                headers.remove(TRACESTATE);
            }
        }
        self.inner.call(request)
    }
}

/// The trace id of a `traceparent`, if it is valid.
pub(crate) fn trace_id(traceparent: &[u8]) -> Option<&str> {
    Traceparent::parse(traceparent)?;
    std::str::from_utf8(&traceparent[3..35]).ok()
}

fn new_traceparent() -> HeaderValue {
    let trace = TraceId::from_random(fastrand::u128(..));
    header_of(&Traceparent { trace, parent: SpanId::from_random(fastrand::u64(..)), sampled: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// What the service saw of `traceparent` and `tracestate`.
    async fn seen(begin: bool, sent: Option<&'static str>) -> (Option<String>, bool) {
        let layer = TraceContextLayer::default().begin(begin);
        let service = ServiceBuilder::new().layer(layer).service(service_fn(|request: Request<()>| async move {
            let parent = request.headers().get(TRACEPARENT).map(|value| value.to_str().unwrap().to_owned());
            Ok::<_, Infallible>((parent, request.headers().contains_key(TRACESTATE)))
        }));
        let mut request = Request::new(());
        request.headers_mut().insert(TRACESTATE, HeaderValue::from_static("vendor=1"));
        if let Some(sent) = sent {
            request.headers_mut().insert(TRACEPARENT, HeaderValue::from_static(sent));
        }
        service.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_trace_that_came_passes_untouched() {
        for begin in [true, false] {
            assert_eq!(seen(begin, Some(VALID)).await, (Some(VALID.to_owned()), true));
        }
    }

    #[tokio::test]
    async fn no_trace_is_begun_unless_that_is_wanted() {
        assert_eq!(seen(false, None).await, (None, true));
        let (begun, state) = seen(true, None).await;
        assert!(trace_id(begun.unwrap().as_bytes()).is_some());
        assert!(!state, "a state without its parent is thrown away");
    }

    #[tokio::test]
    async fn a_trace_that_nobody_can_read_is_begun_anew() {
        let (begun, state) = seen(true, Some("00-zz-01")).await;
        assert!(trace_id(begun.unwrap().as_bytes()).is_some());
        assert!(!state);
    }

    /// The spans that were made, and the `traceparent` that the service saw.
    async fn spans(layer: TraceContextLayer, sent: Option<&'static str>) -> (RequestSpan, Traceparent) {
        let service = ServiceBuilder::new().layer(layer).service(service_fn(|request: Request<()>| async move {
            let span = RequestContext::of(request.extensions()).unwrap().span.unwrap();
            let told = Traceparent::parse(request.headers()[TRACEPARENT].as_bytes()).unwrap();
            Ok::<_, Infallible>((span, told))
        }));
        let mut request = Request::new(());
        if let Some(sent) = sent {
            request.headers_mut().insert(TRACEPARENT, HeaderValue::from_static(sent));
        }
        service.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_service_is_told_the_span_that_serves_it_and_a_proxy_passes_on_that_of_its_call() {
        let sampler = Sampler::default();
        let (span, told) = spans(TraceContextLayer::default().spans(sampler), Some(VALID)).await;
        let came = Traceparent::parse(VALID.as_bytes()).unwrap();
        assert_eq!((span.trace, span.parent, span.client), (came.trace, Some(came.parent), None));
        assert_eq!((told.trace, told.parent, told.sampled), (came.trace, span.server, true));

        let (span, told) = spans(TraceContextLayer::default().spans_of_proxy(sampler), None).await;
        assert_eq!((span.parent, span.sampled), (None, true));
        assert_eq!(Some(told.parent), span.client);
        assert_ne!(span.client, Some(span.server));
    }

    #[tokio::test]
    async fn what_is_not_sampled_is_passed_on_as_not_sampled() {
        let never = Sampler::from_name("always_off", 1.0).unwrap();
        let (span, told) = spans(TraceContextLayer::default().spans(never), Some(VALID)).await;
        assert!(!span.sampled && !told.sampled);
    }

    #[test]
    fn fuzz_a_trace_id_is_32_digits_of_what_came_or_nothing() {
        seaworthy_fuzz::drive("traceparent", |header| {
            if let Some(id) = trace_id(header) {
                assert_eq!((id.len(), id.as_bytes()), (32, &header[3..35]));
                assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id.bytes().any(|byte| byte != b'0'));
            }
        });
    }
}
