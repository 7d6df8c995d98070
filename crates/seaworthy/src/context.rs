//! What the layers learn of a request, for each other and for the handler: one extension instead of one a layer.
//!
//! ```
//! use http::Request;
//! use seaworthy::context::RequestContext;
//!
//! fn handler(request: &Request<()>) -> String {
//!     let context = RequestContext::of(request.extensions());
//!     context.and_then(|context| context.client).map_or_else(String::new, |client| client.to_string())
//! }
//! assert_eq!(handler(&Request::new(())), "");
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use http::{Extensions, HeaderMap, HeaderValue, Method, Request, header};
use seaworthy_core::trace::{RequestSpan, TraceId};

use crate::access::Learnt;
use crate::server::Meter;

/// What is known of a request. Inserted by the first layer that knows something.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RequestContext {
    /// The other end of the socket; `None` on a unix socket. Whoever accepts connections sets it.
    pub peer: Option<SocketAddr>,
    /// The client, as far as proxies can be believed.
    pub client: Option<IpAddr>,
    /// Whether the peer is one of the trusted proxies, or a local one by unix socket.
    pub peer_trusted: bool,
    /// [`RequestContext::peer`]'s address as text, made once a connection by whoever accepts them.
    pub peer_header: Option<HeaderValue>,
    /// What whoever accepts connections calls this one.
    pub connection: Option<usize>,
    /// When the first of the layers saw it.
    pub started: Option<Instant>,
    /// Until [`RequestContext::learnt`] keeps it.
    pub(crate) request_id: Option<HeaderValue>,
    /// The trace that it belongs to, where [`crate::trace`] sees to it that it belongs to one.
    pub trace_id: Option<TraceId>,
    /// Its spans, where some are made; see [`crate::trace`].
    pub span: Option<RequestSpan>,
    /// How fast its body comes, where somebody watches that.
    pub(crate) meter: Option<Arc<Meter>>,
    /// Whether it is gRPC; `None` where nobody has looked yet.
    pub(crate) grpc: Option<bool>,
    /// Where a service leaves word for the access event.
    pub learnt: Option<Learnt>,
}

impl RequestContext {
    /// The context of a request that has one.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The id in `X-Request-ID`.
    #[must_use]
    pub fn request_id(&self) -> Option<&HeaderValue> {
        self.request_id.as_ref().or_else(|| self.learnt.as_ref()?.request_id())
    }

    /// Looks whether it is gRPC, once, because every layer that may refuse wants to know.
    pub(crate) fn know_protocol(&mut self, method: &Method, headers: &HeaderMap) {
        self.grpc.get_or_insert_with(|| is_grpc(method, headers));
    }

    /// The context of a request; an empty one is inserted where there is none yet.
    pub fn of_mut(extensions: &mut Extensions) -> &mut Self {
        extensions.get_or_insert_default()
    }
}

/// What a refusal needs to know of the request that it answers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Correlation(Known);

#[derive(Debug, Clone)]
enum Known {
    /// It is kept for the access event anyway, and one count is less than a copy.
    Kept(Learnt),
    Taken {
        request_id: Option<HeaderValue>,
        grpc: bool,
    },
}

impl Default for Known {
    fn default() -> Self {
        Self::Taken { request_id: None, grpc: false }
    }
}

impl Correlation {
    /// The id of the request as text; empty where it has none.
    pub(crate) fn id(&self) -> String {
        self.request_id().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// Takes what is needed from a request.
    pub fn of<B>(request: &Request<B>) -> Self {
        let context = RequestContext::of(request.extensions());
        if let Some(learnt) = context.and_then(|context| context.learnt.as_ref()) {
            return Self::kept(learnt);
        }
        let request_id = context.and_then(|context| context.request_id.clone());
        let grpc = context.and_then(|context| context.grpc);
        Self::taken(request_id, grpc.unwrap_or_else(|| is_grpc(request.method(), request.headers())))
    }

    pub(crate) fn kept(learnt: &Learnt) -> Self {
        Self(Known::Kept(learnt.clone()))
    }

    pub(crate) fn taken(request_id: Option<HeaderValue>, grpc: bool) -> Self {
        Self(Known::Taken { request_id, grpc })
    }

    pub(crate) fn request_id(&self) -> Option<&HeaderValue> {
        match &self.0 {
            Known::Kept(learnt) => learnt.request_id(),
            Known::Taken { request_id, .. } => request_id.as_ref(),
        }
    }

    /// gRPC clients read no status and no body: they are refused by trailers.
    pub(crate) fn is_grpc(&self) -> bool {
        match &self.0 {
            Known::Kept(learnt) => learnt.is_grpc(),
            Known::Taken { grpc, .. } => *grpc,
        }
    }
}

/// A call is a POST (gRPC over HTTP/2, "Requests"), so that most requests are not searched for it.
pub(crate) fn is_grpc(method: &Method, headers: &HeaderMap) -> bool {
    let kind = || headers.get(header::CONTENT_TYPE);
    *method == Method::POST && kind().is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIdLayer;

    #[test]
    fn a_call_of_grpc_is_known_by_method_and_content_type() {
        let grpc = |method, kind| {
            let request = Request::builder().method(method).header("content-type", kind).body(()).unwrap();
            Correlation::of(&request).is_grpc()
        };
        assert!(grpc("POST", "application/grpc+proto"));
        assert!(!grpc("POST", "application/json") && !grpc("GET", "application/grpc"));
    }

    #[test]
    fn what_was_seen_once_is_not_looked_for_again() {
        let mut request = Request::post("/").header("content-type", "application/grpc").body(()).unwrap();
        RequestIdLayer::default().identify(&mut request);
        request.headers_mut().clear();
        assert!(Correlation::of(&request).is_grpc());
    }
}
