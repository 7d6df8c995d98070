//! Tells HTTP/1 clients to leave while the service drains: `Connection: close` on their answers.
//!
//! HTTP/2 has no such header (RFC 9113, 8.2.2): its connections are told by GOAWAY where they are served.

use http::{HeaderValue, Request, Response, StatusCode, Version, header};

use crate::lifecycle::Lifecycle;

/// What the answer to one request may have to say. The default says nothing.
#[derive(Debug, Default)]
pub(crate) struct Farewell(Option<Lifecycle>);

impl Farewell {
    /// To whoever sent `request`, where it is told by a header.
    pub(crate) fn to<B>(request: &Request<B>, lifecycle: &Lifecycle) -> Self {
        Self((request.version() < Version::HTTP_2).then(|| lifecycle.clone()))
    }

    /// Asked when the answer is there, and not when the request came: a drain may begin in between.
    pub(crate) fn say<R>(&self, answer: &mut Response<R>) {
        // The connection of a 101 is a tunnel from now on, whose `Connection` says `upgrade` (RFC 9110, 7.8).
        if self.0.as_ref().is_some_and(|lifecycle| lifecycle.state().leaving())
            && answer.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
