//! Finds the client behind trusted proxies; see [`seaworthy_core::address`] for the rules.
//!
//! # Example
//!
//! ```
//! use std::net::IpAddr;
//! use http::HeaderMap;
//! use seaworthy::client_address::behind;
//! use seaworthy::core::address::Trusted;
//!
//! let trusted = Trusted::new(["10.0.0.0/8".parse()?]);
//! let headers = HeaderMap::from_iter([("x-forwarded-for".parse()?, "6.6.6.6, 203.0.113.7".parse()?)]);
//! let (balancer, stranger): (IpAddr, IpAddr) = ("10.0.0.1".parse()?, "198.51.100.9".parse()?);
//! assert_eq!(behind(&trusted, balancer, &headers).to_string(), "203.0.113.7", "the rightmost that is not trusted");
//! assert_eq!(behind(&trusted, stranger, &headers), stranger, "whoever is not trusted says nothing");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue, Request, header};
use seaworthy_core::address::Trusted;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::RequestContext;

/// Wraps services in [`ClientAddress`]. Clones share the networks.
#[derive(Debug, Clone, Default)]
pub struct ClientAddressLayer(Arc<Trusted>);

impl ClientAddressLayer {
    /// Believes the proxies in `trusted`; by default nobody.
    pub fn new(trusted: Trusted) -> Self {
        Self(Arc::new(trusted))
    }

    /// Says in the context of a request with `headers` whose it is.
    pub(crate) fn mark(&self, context: &mut RequestContext, headers: &HeaderMap) {
        let Some(peer) = context.peer else { return };
        context.peer_trusted = self.0.contains(peer.ip());
        let client = if context.peer_trusted { behind(&self.0, peer.ip(), headers) } else { peer.ip().to_canonical() };
        context.client = Some(client);
    }
}

impl<S> Layer<S> for ClientAddressLayer {
    type Service = ClientAddress<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientAddress { inner, layer: self.clone() }
    }
}

/// Sets [`RequestContext::client`] from [`RequestContext::peer`].
#[derive(Debug, Clone)]
pub struct ClientAddress<S> {
    inner: S,
    layer: ClientAddressLayer,
}

impl<S, B> Service<Request<B>> for ClientAddress<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        if let Some(context) = head.extensions.get_mut() {
            self.layer.mark(context, &head.headers);
        }
        self.inner.call(Request::from_parts(head, body))
    }
}

/// The client of a request with `headers` that came from `peer`.
#[doc(hidden)]
pub fn behind(trusted: &Trusted, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let values = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    trusted.client(peer, values("x-forwarded-for"), values(header::FORWARDED.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    async fn client_of(peer: &str) -> String {
        let trusted = Trusted::new(["10.0.0.0/8".parse().unwrap()]);
        let service = ServiceBuilder::new().layer(ClientAddressLayer::new(trusted)).service(service_fn(
            |request: Request<()>| async move {
                let context = RequestContext::of(request.extensions()).expect("the layer made one");
                Ok::<_, Infallible>((context.client.expect("known").to_string(), context.peer_trusted))
            },
        ));
        let mut request = Request::builder().header("x-forwarded-for", "192.0.2.7").body(()).unwrap();
        RequestContext::of_mut(request.extensions_mut()).peer = Some(peer.parse().unwrap());
        let (client, trusted) = service.oneshot(request).await.unwrap();
        format!("{client} {trusted}")
    }

    #[tokio::test]
    async fn the_header_counts_only_from_a_trusted_proxy() {
        assert_eq!(client_of("10.1.2.3:4711").await, "192.0.2.7 true");
        assert_eq!(client_of("203.0.113.5:4711").await, "203.0.113.5 false");
    }
}
