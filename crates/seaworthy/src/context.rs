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

use http::{Extensions, HeaderMap, HeaderValue, header};
use seaworthy_core::trace::RequestSpan;

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
    /// The id in `X-Request-ID`.
    pub request_id: Option<HeaderValue>,
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
    /// Takes what is needed from a request.
    pub fn of<B>(request: &http::Request<B>) -> Self {
        let context = RequestContext::of(request.extensions());
        let request_id = context.and_then(|context| context.request_id.clone());
        let grpc = context.and_then(|context| context.grpc).unwrap_or_else(|| is_grpc(request.headers()));
        Self { request_id, grpc }
    }
}

/// Asked once, by the layer that gives the request its id, because every layer that may refuse wants to know.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
