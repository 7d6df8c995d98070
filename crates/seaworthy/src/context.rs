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
use std::time::Instant;

use http::{Extensions, HeaderValue, Method, Request, header};
use seaworthy_core::trace::{RequestSpan, TraceId};

use crate::access::Learnt;
use crate::server::Tardiness;

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
    /// The id in `X-Request-ID`.
    pub request_id: Option<HeaderValue>,
    /// The trace that it belongs to, where [`crate::trace`] sees to it that it belongs to one.
    pub trace_id: Option<TraceId>,
    /// Its spans, where some are made; see [`crate::trace`].
    pub span: Option<RequestSpan>,
    /// Whether its body came too slowly, where somebody watches that.
    pub(crate) tardiness: Option<Tardiness>,
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

    /// The context of a request; an empty one is inserted where there is none yet.
    pub fn of_mut(extensions: &mut Extensions) -> &mut Self {
        extensions.get_or_insert_default()
    }
}

/// What a refusal needs to know of the request that it answers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Correlation {
    pub(crate) request_id: Option<HeaderValue>,
    /// gRPC clients read no status and no body: they are refused by trailers.
    pub(crate) grpc: bool,
}

impl Correlation {
    /// As [`Correlation::of`], and leaves word for those that ask next.
    pub(crate) fn note<B>(request: &mut Request<B>) -> Self {
        let to = Self::of(request);
        if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
            context.grpc = Some(to.grpc);
        }
        to
    }

    /// The id of the request as text; empty where it has none.
    pub(crate) fn id(&self) -> String {
        self.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// Takes what is needed from a request.
    pub fn of<B>(request: &Request<B>) -> Self {
        let context = RequestContext::of(request.extensions());
        let request_id = context.and_then(|context| context.request_id.clone());
        let grpc = context.and_then(|context| context.grpc).unwrap_or_else(|| is_grpc(request));
        Self { request_id, grpc }
    }
}

/// Asked once, by the layer that gives the request its id, because every layer that may refuse wants to know.
/// A call is a POST (gRPC over HTTP/2, "Requests"), so that most requests are not searched for it.
pub(crate) fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = || request.headers().get(header::CONTENT_TYPE);
    *request.method() == Method::POST && kind().is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_grpc_is_known_by_method_and_content_type() {
        let grpc =
            |method, kind| is_grpc(&Request::builder().method(method).header("content-type", kind).body(()).unwrap());
        assert!(grpc("POST", "application/grpc+proto"));
        assert!(!grpc("POST", "application/json") && !grpc("GET", "application/grpc"));
    }

    #[test]
    fn what_was_seen_once_is_not_looked_for_again() {
        let mut request = Request::post("/").header("content-type", "application/grpc").body(()).unwrap();
        RequestContext::of_mut(request.extensions_mut());
        assert!(Correlation::note(&mut request).grpc);
        request.headers_mut().clear();
        assert!(Correlation::of(&request).grpc);
    }
}
