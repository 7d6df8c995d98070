//! What is answered instead of a call that is not made.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::refusal::ProblemBody;

/// An answer that stands in for that of a service whose breaker is open: an empty list, a price of yesterday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
}

impl Fallback {
    /// This status, with this body of this type.
    pub fn new(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, body: body.into() }
    }

    pub(super) fn respond<B: ProblemBody>(&self) -> Response<B> {
        let mut answer = Response::new(B::from_problem(self.body.clone()));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        // Nobody may keep it for when the service is back.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}
