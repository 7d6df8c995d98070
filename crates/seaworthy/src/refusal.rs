//! Refusals as answers: `application/problem+json` (RFC 9457), or a gRPC status for a gRPC client.
//!
//! The reason travels in the response's extensions, so that log and metric name it too.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use seaworthy::{context::Correlation, core::refusal::Reason, refusal::Refusal};
//!
//! let answer = Refusal::new(Reason::Overloaded).retry_after(2).respond::<Full<Bytes>>(&Correlation::default());
//! assert_eq!(answer.status(), 503);
//! assert_eq!(answer.headers()["retry-after"], "2");
//! assert_eq!(answer.extensions().get::<Reason>(), Some(&Reason::Overloaded));
//! ```

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use seaworthy_core::refusal::Reason;

use crate::context::Correlation;

/// A body that a refusal can be put into.
pub trait ProblemBody {
    /// With these bytes, which may be none, and nothing behind them.
    fn from_problem(problem: Bytes) -> Self;
}

impl ProblemBody for Full<Bytes> {
    fn from_problem(problem: Bytes) -> Self {
        Self::new(problem)
    }
}

/// Why a request is not served, and what its client is told.
#[derive(Debug, Clone)]
#[must_use = "nobody is refused before `respond`"]
pub struct Refusal {
    reason: Reason,
    detail: Cow<'static, str>,
    retry_after: Option<u32>,
}

impl Refusal {
    /// With the status and the texts of the reason's row in the [table](seaworthy_core::refusal).
    pub fn new(reason: Reason) -> Self {
        Self { reason, detail: Cow::Borrowed(""), retry_after: None }
    }

    /// A sentence for people. It reaches the client: no address, no secret.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// When trying again may help, in seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The answer.
    #[must_use]
    pub fn respond<B: ProblemBody>(&self, to: &Correlation) -> Response<B> {
        let row = self.reason.row();
        let mut answer = if to.is_grpc() { self.grpc() } else { self.problem(to) };
        let headers = answer.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // On HTTP/2 the header would be an error (RFC 9113, 8.2.2): whoever serves the connection takes it off.
        if self.reason.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        debug_assert!(row.status >= 400, "a refusal is no success");
        answer.extensions_mut().insert(self.reason);
        answer
    }

    fn problem<B: ProblemBody>(&self, to: &Correlation) -> Response<B> {
        let row = self.reason.row();
        let mut body = String::with_capacity(256);
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            r#"{{"type":"urn:seaworthy:problem:{}","title":"{}","status":{}"#,
            row.name, row.title, row.status
        );
        if !self.detail.is_empty() {
            body.push_str(r#","detail":""#);
            escape_json(&self.detail, &mut body);
            body.push('"');
        }
        if let Some(id) = to.request_id().and_then(|id| id.to_str().ok()) {
            body.push_str(r#","request_id":""#);
            escape_json(id, &mut body);
            body.push('"');
        }
        if let Some(seconds) = self.retry_after {
            let _ = write!(body, r#","retry_after":{seconds}"#);
        }
        body.push_str("}\n");
        let mut answer = Response::new(B::from_problem(body.into()));
        *answer.status_mut() = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        answer
    }

    /// "Trailers-Only": status 200 and the gRPC status among the headers.
    fn grpc<B: ProblemBody>(&self) -> Response<B> {
        let row = self.reason.row();
        let mut answer = Response::new(B::from_problem(Bytes::new()));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from(u16::from(row.grpc)));
        headers.insert("grpc-message", HeaderValue::from_static(row.title));
        answer
    }
}

fn escape_json(text: &str, into: &mut String) {
    for character in text.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(into, "\\u{:04x}", u32::from(control));
            }
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn body(answer: Response<Full<Bytes>>) -> String {
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_says_what_why_and_for_which_request() {
        let to = Correlation::taken(Some(HeaderValue::from_static("abc-1")), false);
        let answer = Refusal::new(Reason::BodyTooLarge).detail("at most 1 \"MiB\"").respond(&to);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.headers()[header::CONNECTION], "close");
        assert_eq!(
            body(answer).await,
            "{\"type\":\"urn:seaworthy:problem:body_too_large\",\"title\":\"The request body is too large\",\
             \"status\":413,\"detail\":\"at most 1 \\\"MiB\\\"\",\"request_id\":\"abc-1\"}\n"
        );
    }

    #[tokio::test]
    async fn a_grpc_client_is_refused_in_its_own_terms() {
        let to = Correlation::taken(None, true);
        let answer = Refusal::new(Reason::UpstreamTimeout).respond::<Full<Bytes>>(&to);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], "4");
        assert_eq!(answer.extensions().get(), Some(&Reason::UpstreamTimeout));
        assert_eq!(body(answer).await, "");
    }
}
