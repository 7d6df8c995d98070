//! An HTTP and HTTPS client: a pool of connections over hyper, and TLS over rustls with *ring*.
//!
//! # Rules
//!
//! - Certificates are verified, always. [`Roots`] says whose are believed: those of browsers, and more by PEM.
//! - Names are resolved by a [`Resolver`] that is handed in: a statically linked binary has no system resolver.
//! - The connect timeout holds for all of it: name, TCP and TLS.
//! - HTTP/2 is spoken where the server offers it by ALPN, else HTTP/1.1. Redirects are answers like others.
//! - A request on a kept connection that the server had closed goes out again by itself, but only if none of it was sent.
//!
//! # In production
//!
//! There is no timeout for the answer here: wrap the transport in [`crate::limit::time`] or give up by yourself.
//!
//! # Example
//!
//! ```no_run
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use seaworthy::client::Transport;
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! let transport: Transport<Full<Bytes>> = Transport::builder().build()?;
//! let request = Request::get("https://status.example.com/").body(Full::default())?;
//! let answer = transport.send(request).await?;
//! assert!(answer.status().is_success());
//! # Ok(())
//! # }
//! ```

mod connect;
mod error;
mod resolve;
mod roots;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use connect::Connector;
pub use error::{Failure, TransportError};
pub use resolve::{ResolveError, Resolver};
pub use roots::{Roots, RootsError};

use resolve::Names;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a [`Transport`] cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The protocol versions do not fit the cryptography: a fault of how the program was built.
    #[error("TLS cannot be used: {0}")]
    Tls(#[source] BoxError),
}

/// How a [`Transport`] behaves.
#[derive(Debug, Clone)]
#[must_use = "nothing is built before `build`"]
pub struct TransportBuilder {
    resolver: Resolver,
    roots: Roots,
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_per_host: usize,
    prior_knowledge: bool,
}

impl Default for TransportBuilder {
    fn default() -> Self {
        Self {
            resolver: Resolver::system(),
            roots: Roots::public(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            idle_per_host: 32,
            prior_knowledge: false,
        }
    }
}

impl TransportBuilder {
    /// Who knows the addresses of names. Default: the system.
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Whose certificates are believed. Default: those that browsers believe.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// How long name, TCP and TLS may take together. Default: 5 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long a connection is kept without a request. Default: 30 s, which is less than what servers of the public
    /// internet keep theirs for.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// How many connections without a request are kept for each host. Default: 32.
    pub fn idle_per_host(mut self, most: usize) -> Self {
        self.idle_per_host = most;
        self
    }

    /// HTTP/2 without asking for it, over plain TCP too, as gRPC servers want. Default: by ALPN.
    pub fn http2_prior_knowledge(mut self, on: bool) -> Self {
        self.prior_knowledge = on;
        self
    }

    /// A transport with a pool of its own.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if TLS cannot be set up.
    pub fn build<B>(&self) -> Result<Transport<B>, BuildError>
    where
        B: Body + Send + 'static + Unpin,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let mut http = HttpConnector::new_with_resolver(Names(self.resolver.clone()));
        http.enforce_http(false);
        http.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(self.roots.client_config().map_err(|error| BuildError::Tls(error.into()))?)
            .https_or_http();
        let https = if self.prior_knowledge {
            https.enable_http2().wrap_connector(http)
        } else {
            https.enable_all_versions().wrap_connector(http)
        };
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.idle_timeout)
            .pool_max_idle_per_host(self.idle_per_host)
            .http2_only(self.prior_knowledge)
            .build(Connector::new(https, self.connect_timeout));
        Ok(Transport { client })
    }
}

/// Sends requests. Clones share the pool, and so does every use of them.
///
/// Connections run as tasks of the tokio runtime that the request was sent on: keep a transport to one runtime.
pub struct Transport<B> {
    client: Client<Connector, B>,
}

impl Transport<()> {
    /// Public authorities, the system's names, 5 s to connect.
    pub fn builder() -> TransportBuilder {
        TransportBuilder::default()
    }
}

impl<B> Transport<B>
where
    B: Body + Send + 'static + Unpin,
    B::Data: Send + Buf,
    B::Error: Into<BoxError>,
{
    /// Sends a request, whose target is an absolute URI, and waits for the head of its answer.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if no answer came. It says whether any of the request can have been read.
    pub fn send(&self, request: Request<B>) -> TransportFuture {
        TransportFuture { answer: self.client.request(request) }
    }
}

impl<B> Clone for Transport<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone() }
    }
}

impl<B> std::fmt::Debug for Transport<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Transport<B>
where
    B: Body + Send + 'static + Unpin,
    B::Data: Send + Buf,
    B::Error: Into<BoxError>,
{
    type Response = Response<Incoming>;
    type Error = TransportError;
    type Future = TransportFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.send(request)
    }
}

pin_project_lite::pin_project! {
    /// The answer of a [`Transport`]. Dropped, it gives the request up.
    pub struct TransportFuture {
        #[pin]
        answer: ResponseFuture,
    }
}

impl std::fmt::Debug for TransportFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransportFuture").finish_non_exhaustive()
    }
}

impl Future for TransportFuture {
    type Output = Result<Response<Incoming>, TransportError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.project().answer.poll(cx)).map_err(TransportError::new))
    }
}
