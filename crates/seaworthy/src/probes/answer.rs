//! What a probe, or any other page of ours, answers.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use seaworthy_core::refusal::Reason;

use crate::context::Correlation;
use crate::refusal::Refusal;

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// An answer of ours.
#[derive(Debug)]
pub(super) struct Answer(Response<Full<Bytes>>);

impl Answer {
    pub(super) fn new(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Self(response)
    }

    /// 200 for a good verdict, 503 for a bad one.
    pub(super) fn verdict(passes: bool, kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(if passes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, kind, body)
    }

    /// A problem (RFC 9457).
    pub(super) fn refusal(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut response = Refusal::new(reason).detail(detail).respond(&Correlation::default());
        if reason == Reason::MethodNotAllowed {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        Self(response)
    }

    /// The response to a request with `method`: to HEAD it has the length of the body, but no body.
    pub(super) fn respond(self, method: &Method) -> Response<Full<Bytes>> {
        let Self(mut response) = self;
        let length = http_body::Body::size_hint(response.body()).lower();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if method == Method::HEAD { response.map(|_| Full::default()) } else { response }
    }
}
