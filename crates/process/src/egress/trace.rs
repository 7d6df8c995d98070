//! The span of a call: below the one of the program that makes it, and above what the service does.

use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use seaworthy::client::AnswerBody;
use seaworthy::otlp::{Kind, Span, Tracer, end_call};

use super::service::Service;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The span of a call under way; none where no spans are exported.
pub(super) struct CallSpan(Option<Span>);

impl CallSpan {
    /// Begins it below what the program said, and tells the service.
    pub(super) fn begin(tracer: Option<&Tracer>, service: &Service, request: &mut Request<Incoming>) -> Self {
        Self(tracer.map(|tracer| {
            let came = request.headers().get(TRACEPARENT).map(|value| value.as_bytes().to_vec());
            let method = request.method().to_string();
            let mut span = tracer.begin(method.clone(), Kind::Client, came.as_deref());
            request.headers_mut().insert(TRACEPARENT, span.header());
            span.set("http.request.method", method);
            // Not the path: those of webhooks and of some services carry secrets.
            span.set("server.address", service.config.url.authority.host().to_owned());
            if let Some(port) = service.config.url.authority.port_u16() {
                span.set("server.port", i64::from(port));
            }
            span.set("seaworthy.egress", service.name().to_owned());
            span
        }))
    }

    /// The head of the answer is there.
    pub(super) fn end(self, answer: &Response<AnswerBody>) {
        if let Some(span) = self.0 {
            end_call(span, answer);
        }
    }
}
