//! W3C trace context: `traceparent` passes through as it came, and is begun where there is none, by option.
//!
//! # Rules
//!
//! - A valid `traceparent` is never rewritten: a parent id that no exporter knows would tear the tree apart
//!   (Trace Context, 4.2: whoever takes no part passes both headers on).
//! - [`TraceContextLayer::begin`] is off by default. A trace begun here has to say whether it is sampled, and either
//!   answer overrules the sampler of the service: `00` silences a parent-based one, `01` defeats a ratio.
//!
//! Source: <https://www.w3.org/TR/trace-context/>.

use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Wraps services in [`TraceContext`].
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceContextLayer {
    begin: bool,
}

impl TraceContextLayer {
    /// Begins a trace, sampled, for a request that brings no valid one.
    #[must_use]
    pub fn begin(self, begin: bool) -> Self {
        Self { begin }
    }
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
        if self.layer.begin {
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

/// The trace id of a `traceparent` (Trace Context, 3.2), if it is valid.
pub(crate) fn trace_id(traceparent: &[u8]) -> Option<&str> {
    const LENGTH: usize = 55;
    let hexadecimal = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == b'0');
    let (known, rest) = traceparent.split_at_checked(LENGTH)?;
    let (version, trace, parent, flags) = (&known[..2], &known[3..35], &known[36..52], &known[53..]);
    // A later version may go on after what this one knows.
    let ends = if version == b"00" { rest.is_empty() } else { rest.is_empty() || rest[0] == b'-' };
    let valid = [known[2], known[35], known[52]] == *b"---"
        && [version, trace, parent, flags].into_iter().all(hexadecimal)
        && version != b"ff"
        && !zero(trace)
        && !zero(parent)
        && ends;
    std::str::from_utf8(trace).ok().filter(|_| valid)
}

fn new_traceparent() -> HeaderValue {
    // An id of zeros is invalid.
    let (trace, parent) = (fastrand::u128(1..), fastrand::u64(1..));
    HeaderValue::try_from(format!("00-{trace:032x}-{parent:016x}-01"))
        .expect("hexadecimal digits and hyphens are visible ASCII")
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

    #[test]
    fn only_what_the_recommendation_allows_is_a_trace_id() {
        assert_eq!(trace_id(VALID.as_bytes()), Some("0af7651916cd43dd8448eb211c80319c"));
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes";
        assert!(trace_id(later.as_bytes()).is_some());
        for invalid in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_id(invalid.as_bytes()), None, "{invalid}");
        }
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
