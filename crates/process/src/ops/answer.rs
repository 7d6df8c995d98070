//! What a probe, or any other page of ours, answers.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use seaworthy::context::Correlation;
use seaworthy::core::refusal::Reason;
use seaworthy::refusal::{ProblemBody, Refusal};

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// An answer of ours, whoever asked and over which listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// Why it is an answer to nothing that was asked for; `None` for verdicts, good or bad.
    pub(crate) refusal: Option<Reason>,
    /// What is wrong with the shape that the config has for it, where that is news.
    pub(crate) fault: Option<String>,
}

/// The body of a problem while it is being made.
struct Problem(Bytes);

impl ProblemBody for Problem {
    fn from_problem(problem: Bytes) -> Self {
        Self(problem)
    }
}

impl Answer {
    pub(super) fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into(), refusal: None, fault: None }
    }

    /// 200 where `passes`, else 503.
    pub(super) fn verdict(passes: bool, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let status = if passes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Self { status, content_type, body: body.into(), refusal: None, fault: None }
    }

    /// As JSON, with a newline for whoever reads it on a terminal.
    pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Self {
        let mut body = serde_json::to_vec(value).expect("tables with text for keys can be written as JSON");
        body.push(b'\n');
        Self { status, content_type: JSON, body: body.into(), refusal: None, fault: None }
    }

    /// A problem (RFC 9457).
    pub(super) fn refusal(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        let answer = Refusal::new(reason).detail(detail).respond::<Problem>(&Correlation::default());
        let status = answer.status();
        Self {
            status,
            content_type: "application/problem+json",
            body: answer.into_body().0,
            refusal: Some(reason),
            fault: None,
        }
    }

    /// The response to a request with `method`: to HEAD it has the length of the body, but no body.
    pub(crate) fn respond(self, method: &Method) -> Response<Full<Bytes>> {
        let length = self.body.len();
        let body = if method == Method::HEAD { Bytes::new() } else { self.body };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A path in a problem is written by whoever asked: no browser may take it for a page.
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(reason) = self.refusal {
            if reason == Reason::Unauthenticated {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            if reason == Reason::MethodNotAllowed {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            response.extensions_mut().insert(reason);
        }
        response
    }
}
