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

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use seaworthy_core::trace::{RequestSpan, Sampler, SpanId, TraceId, Traceparent};
use tower_layer::Layer;
use tower_service::Service;

use crate::context::RequestContext;
use crate::value;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

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
    #[doc(hidden)]
    pub fn spans_of_proxy(self, sampler: Sampler) -> Self {
        Self { spans: Some(Spans { sampler, forwards: true }), ..self }
    }
}

impl TraceContextLayer {
    /// Sees to it that a request with `headers` carries a trace, where that is wanted, and says in its context which one.
    pub(crate) fn mark(self, context: &mut RequestContext, headers: &mut HeaderMap) {
        if let (Some(trace), span) = self.join(headers) {
            (context.trace_id, context.span) = (Some(trace), span);
        }
    }

    /// Sees to it that a request with `headers` carries a trace: which one, and the spans that are made of it.
    fn join(self, headers: &mut HeaderMap) -> (Option<TraceId>, Option<RequestSpan>) {
        if self.spans.is_none() && !self.begin {
            return (None, None);
        }
        let traceparent = headers.entry(&TRACEPARENT);
        let sent = match &traceparent {
            Entry::Occupied(sent) => Traceparent::parse(sent.get().as_bytes()),
            Entry::Vacant(_) => None,
        };
        let span = self.spans.map(|spans| spans.begin(sent));
        // What came is passed on as it came, unless a span of ours comes in between.
        let told = span.map(|span| span.traceparent()).or_else(|| sent.is_none().then(new_trace));
        if let Some(told) = told {
            value::put(traceparent, header_of(&told));
        }
        // It belonged to a trace that nobody can read. Hardly ever there: to look is quicker than to search for it.
        if sent.is_none() && headers.keys().any(|name| *name == TRACESTATE) {
            headers.remove(&TRACESTATE);
        }
        (told.or(sent).map(|known| known.trace), span)
    }
}

impl Spans {
    fn begin(self, sent: Option<Traceparent>) -> RequestSpan {
        let trace = sent.map_or_else(|| TraceId::from_random(fastrand::u128(..)), |sent| sent.trace);
        let id = || SpanId::from_random(fastrand::u64(..));
        RequestSpan {
            trace,
            parent: sent.map(|sent| sent.parent),
            server: id(),
            client: self.forwards.then(id),
            sampled: self.sampler.samples(sent, trace),
        }
    }
}

/// A `traceparent` header.
fn header_of(parent: &Traceparent) -> HeaderValue {
    value::of(&parent.header()).expect("hexadecimal digits and hyphens are visible ASCII")
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        self.layer.mark(RequestContext::of_mut(&mut head.extensions), &mut head.headers);
        self.inner.call(Request::from_parts(head, body))
    }
}

/// The trace that a request belongs to: as its context has it, else by its own word.
#[cfg(any(test, feature = "tracing"))]
pub(crate) fn trace_id<B>(request: &Request<B>) -> Option<TraceId> {
    let known = RequestContext::of(request.extensions()).and_then(|context| context.trace_id);
    known.or_else(|| sent(request.headers()))
}

/// The trace that a client says its request belongs to.
pub(crate) fn sent(headers: &HeaderMap) -> Option<TraceId> {
    Some(Traceparent::parse(headers.get(&TRACEPARENT)?.as_bytes())?.trace)
}

fn new_trace() -> Traceparent {
    let trace = TraceId::from_random(fastrand::u128(..));
    Traceparent { trace, parent: SpanId::from_random(fastrand::u64(..)), sampled: true }
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
            let parent = request.headers().get(&TRACEPARENT).map(|value| value.to_str().unwrap().to_owned());
            let told = parent.as_ref().and_then(|parent| Traceparent::parse(parent.as_bytes()));
            assert_eq!(trace_id(&request), told.map(|told| told.trace), "the context says the same");
            Ok::<_, Infallible>((parent, request.headers().contains_key(&TRACESTATE)))
        }));
        let mut request = Request::new(());
        request.headers_mut().insert(&TRACESTATE, HeaderValue::from_static("vendor=1"));
        if let Some(sent) = sent {
            request.headers_mut().insert(&TRACEPARENT, HeaderValue::from_static(sent));
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
        assert!(Traceparent::parse(begun.unwrap().as_bytes()).is_some());
        assert!(!state, "a state without its parent is thrown away");
    }

    #[tokio::test]
    async fn a_trace_that_nobody_can_read_is_begun_anew() {
        let (begun, state) = seen(true, Some("00-zz-01")).await;
        assert!(Traceparent::parse(begun.unwrap().as_bytes()).is_some());
        assert!(!state);
    }

    /// The spans that were made, and the `traceparent` that the service saw.
    async fn spans(layer: TraceContextLayer, sent: Option<&'static str>) -> (RequestSpan, Traceparent) {
        let service = ServiceBuilder::new().layer(layer).service(service_fn(|request: Request<()>| async move {
            let span = RequestContext::of(request.extensions()).unwrap().span.unwrap();
            let told = Traceparent::parse(request.headers()[&TRACEPARENT].as_bytes()).unwrap();
            Ok::<_, Infallible>((span, told))
        }));
        let mut request = Request::new(());
        if let Some(sent) = sent {
            request.headers_mut().insert(&TRACEPARENT, HeaderValue::from_static(sent));
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
            let mut request = Request::new(());
            let Ok(value) = HeaderValue::from_bytes(header) else { return };
            request.headers_mut().insert(&TRACEPARENT, value);
            if let Some(id) = trace_id(&request) {
                assert_eq!(id.digits(), header[3..35]);
                assert!(id.number() != 0);
            }
        });
    }
}
