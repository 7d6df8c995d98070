//! Who knows the addresses of names.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::BoxError;

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the message shows")]
pub enum ResolveError {
    /// Whoever knows names has an error.
    #[error("{name:?} cannot be resolved: {source}")]
    Lookup { name: String, source: BoxError },
    /// It is known, and has no address.
    #[error("{name:?} has no address")]
    Nowhere { name: String },
    /// Said without the address: whoever reads it may be the one who wanted to know what stands inside of a network.
    #[error("{name:?} has only addresses that may not be called")]
    Forbidden { name: String },
}

type Looking = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, BoxError>> + Send>>;
type Lookup = dyn Fn(String) -> Looking + Send + Sync;
type Permit = dyn Fn(IpAddr) -> bool + Send + Sync;

/// Resolves names for a [`super::Transport`]. Clones share whom they ask.
#[derive(Clone)]
pub struct Resolver {
    lookup: Arc<Lookup>,
    permit: Option<Arc<Permit>>,
}

impl Resolver {
    /// Asks the system (`getaddrinfo`), on a thread that may block.
    pub fn system() -> Self {
        Self::new(|name| async move {
            let found = GaiResolver::new().call(name.parse::<Name>()?).await?;
            Ok::<_, BoxError>(found.map(|address| address.ip()).collect())
        })
    }

    /// Asks a function.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv4Addr};
    /// use seaworthy::client::Resolver;
    ///
    /// let here = Resolver::new(|_name| async { Ok::<_, std::io::Error>(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) });
    /// ```
    pub fn new<F, L, E>(lookup: F) -> Self
    where
        F: Fn(String) -> L + Send + Sync + 'static,
        L: Future<Output = Result<Vec<IpAddr>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let lookup = move |name: String| -> Looking {
            let looking = lookup(name);
            Box::pin(async move { looking.await.map_err(Into::into) })
        };
        Self { lookup: Arc::new(lookup), permit: None }
    }

    /// Leaves out each address that `permit` does not permit. Asked after the name was resolved and for each connection, so
    /// that a name which changes its address (DNS rebinding) leads nowhere else. An address that stands in the URI itself
    /// is resolved by nobody and not asked for.
    #[must_use]
    pub fn permit(mut self, permit: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.permit = Some(Arc::new(permit));
        self
    }

    async fn resolve(self, name: String) -> Result<std::vec::IntoIter<SocketAddr>, ResolveError> {
        let found = (self.lookup)(name.clone()).await;
        let mut found = found.map_err(|source| ResolveError::Lookup { name: name.clone(), source })?;
        if found.is_empty() {
            return Err(ResolveError::Nowhere { name });
        }
        if let Some(permit) = &self.permit {
            found.retain(|address| permit(*address));
        }
        if found.is_empty() {
            return Err(ResolveError::Forbidden { name });
        }
        // The port is that of the URI, and set by whoever connects.
        let addresses: Vec<_> = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        Ok(addresses.into_iter())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("permit", &self.permit.is_some()).finish_non_exhaustive()
    }
}

/// As hyper-util asks for them.
#[derive(Debug, Clone)]
pub(super) struct Names(pub(super) Resolver);

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.0.clone().resolve(name.as_str().to_owned()))
    }
}
