//! The span of a call to another service: below the request that it is made for, and above what the service does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderName, Request, Response};
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use super::{Kind, Span, Tracer};
use crate::hedge::Hedged;
use crate::retry::Attempts;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Wraps clients in [`CallSpan`]: a client span for each call, below the `traceparent` that the call carries
/// ([`Propagation`](crate::propagation::Propagation)). It stands outside of retries, so that one span is one call; the attempts are counted in it.
///
/// Paths and queries are left out: those of webhooks and of some services carry secrets. Without a tracer it does nothing, so that it
/// can stand there where spans are exported in production alone.
///
/// ```no_run
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::Full;
/// use seaworthy::breaker::Policy;
/// use seaworthy::client::{Client, Stack, Transport};
/// use seaworthy::otlp::CallSpanLayer;
/// use seaworthy::{Lifecycle, Production};
/// use tower::{Layer, ServiceExt};
///
/// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
/// let life = Lifecycle::from_signals();
/// let production = Production::builder("orders", "1.0.0").otlp_from_env().build()?;
/// let client: Client<Full<Bytes>> = Stack::new("stripe", Policy::stripe(), life.sink()).over(&Transport::builder())?;
/// let client = CallSpanLayer::new(production.tracer(), "stripe").layer(client);
/// let answer = client.oneshot(Request::get("https://api.stripe.com/v1/charges").body(Full::default())?).await?;
/// # Ok(())
/// # }
/// ```
///
/// Source of the names: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>.
#[derive(Debug, Clone)]
pub struct CallSpanLayer {
    tracer: Option<Tracer>,
    service: Arc<str>,
}

impl CallSpanLayer {
    /// Spans of calls to `service`, which is their `peer.service`.
    pub fn new(tracer: Option<Tracer>, service: impl Into<Arc<str>>) -> Self {
        Self { tracer, service: service.into() }
    }
}

impl<S> Layer<S> for CallSpanLayer {
    type Service = CallSpan<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CallSpan { inner, layer: self.clone() }
    }
}

/// Makes a span of each call.
#[derive(Debug, Clone)]
pub struct CallSpan<S> {
    inner: S,
    layer: CallSpanLayer,
}

impl<S, B, R> Service<Request<B>> for CallSpan<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = CallSpanFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let span = self.layer.tracer.as_ref().map(|tracer| begin(tracer, &self.layer.service, &mut request));
        CallSpanFuture { answer: self.inner.call(request), ending: Ending(span) }
    }
}

/// Begins the span below what the call says, and tells the service.
fn begin<B>(tracer: &Tracer, service: &str, request: &mut Request<B>) -> Span {
    let parent = request.headers().get(&TRACEPARENT).map(|value| value.as_bytes().to_vec());
    let method = request.method().to_string();
    let mut span = tracer.begin(method.clone(), Kind::Client, parent.as_deref());
    request.headers_mut().insert(&TRACEPARENT, span.header());
    span.set("http.request.method", method);
    span.set("peer.service", service.to_owned());
    if let Some(authority) = request.uri().authority() {
        span.set("server.address", authority.host().to_owned());
        if let Some(port) = authority.port_u16() {
            span.set("server.port", i64::from(port));
        }
    }
    span
}

/// Ends the span of a call with the head of its answer, and says how it went.
#[doc(hidden)]
pub fn end_call<R>(mut span: Span, answer: &Response<R>) {
    let status = answer.status().as_u16();
    let attempts = answer.extensions().get().map_or(1, |Attempts(attempts)| *attempts);
    if attempts > 1 {
        span.set("http.request.resend_count", i64::from(attempts - 1));
    }
    if answer.extensions().get::<Hedged>().is_some() {
        span.set("seaworthy.hedged", true);
    }
    if let Some(reason) = answer.extensions().get::<Reason>() {
        // It is ours: the service gave none.
        span.set("error.type", reason.name());
        span.fail(reason.row().title);
    } else {
        span.set("http.response.status_code", i64::from(status));
        // Of a call that we make, 4xx is an error too (HTTP spans, "Status").
        if status >= 400 {
            span.set("error.type", status.to_string());
            span.fail("");
        }
    }
    span.end();
}

/// A span that ends with its call, also where nobody waits for it any more.
#[derive(Debug)]
struct Ending(Option<Span>);

impl Ending {
    fn answered<R>(&mut self, answer: &Response<R>) {
        if let Some(span) = self.0.take() {
            end_call(span, answer);
        }
    }

    /// Which error it is only its client knows; what it says may carry an address.
    fn failed(&mut self) {
        if let Some(mut span) = self.0.take() {
            span.set("error.type", "_OTHER");
            span.fail("");
            span.end();
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // No error of the service: whoever waited left, or another attempt was faster.
        if let Some(mut span) = self.0.take() {
            span.set("seaworthy.cancelled", true);
            span.end();
        }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`CallSpan`].
    #[derive(Debug)]
    pub struct CallSpanFuture<F> {
        #[pin]
        answer: F,
        ending: Ending,
    }
}

impl<F, R, E> Future for CallSpanFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(cx));
        match &answer {
            Ok(answer) => this.ending.answered(answer),
            Err(_) => this.ending.failed(),
        }
        Poll::Ready(answer)
    }
}
