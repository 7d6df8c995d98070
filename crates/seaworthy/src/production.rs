//! A service that is ready for production: the whole stack, the probes, and an end in order.
//!
//! ```no_run
//! use axum::{Router, routing::post};
//! use seaworthy::health::{Affects, CheckResult, Health};
//! use seaworthy::{Lifecycle, Phase, Production, Security};
//! # async fn create() {}
//! # #[derive(Clone)] struct Pool;
//! # impl Pool { async fn close(&self) {} async fn ask(&self) -> std::io::Result<()> { Ok(()) } }
//!
//! fn pg_check(pool: Pool) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = CheckResult> + Send>> + Send + Sync {
//!     move || {
//!         let pool = pool.clone();
//!         Box::pin(async move { Ok(pool.ask().await?) })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     # let pool = Pool;
//!     let life = Lifecycle::from_signals();
//!     let worker = life.spawn("outbox", |work| async move { work.draining().await });
//!     let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//!
//!     let health = Health::builder().check("database", Affects::Ready, pg_check(pool.clone())).build();
//!     let app = Router::new().route("/orders", post(create));
//!     let production = Production::builder("orders", env!("CARGO_PKG_VERSION"))
//!         .health(health).rate_limit("100/min".parse()?).security(Security::api())
//!         .on_shutdown(Phase::Workers, || worker.stop())
//!         .on_shutdown(Phase::Databases, || async move { pool.close().await; Ok(()) })
//!         .build()?;
//!     production.serve(app, listener, life).await?;
//!     Ok(())
//! }
//! ```
//!
//! # The end
//!
//! 1. SIGTERM, or [`Lifecycle::stop`]: readiness is withdrawn at once.
//! 2. For the [delay](Drain::delay) the listener stays open, because the removal of an endpoint and the signal to its process run in
//!    parallel. Requests are served; HTTP/1 answers carry `Connection: close`, HTTP/2 connections get GOAWAY one after the other.
//! 3. The listener takes in what waits and closes. Requests in flight end, idle connections close unless something of a next request has
//!    arrived, WebSockets get a close 1001 between two frames, event streams end, spread over a while. What is left after the
//!    [timeout](Drain::timeout) is cut, and named.
//! 4. Hooks, [phase](Phase) by phase; in the phase of workers background work is waited for.
//! 5. [`serve`](Production::serve) gives an error if anything was forced or failed, so that the process ends with 1.
//!
//! A signal that is repeated after a second forces all of it.
//!
//! Source: the Kubernetes page "Pod lifecycle: Termination of Pods".
//!
//! # What others are told
//!
//! Spans ([`otlp`](Builder::otlp)), reports for Sentry ([`sentry`](Builder::sentry)) and the audit trail ([`audit`](Builder::audit)), each
//! behind its feature. What is on hears of every fact, has its families in the metrics, and sends what is left in
//! [`Phase::Telemetry`], for a second at most. The trail is closed behind it, since it records what fails there. Who is away costs bounded
//! memory, and makes no end ungraceful.

mod admin;
mod app;
mod builder;
mod drain;
mod panics;
mod problem;
mod serve;
mod telemetry;
#[cfg(test)]
mod tests;

pub use builder::Builder;
pub use drain::Drain;
pub use panics::OnPanic;
pub use problem::{BuildError, Problem, ServeError};

#[cfg(doc)]
use crate::{Lifecycle, Phase};

use builder::Parts;

/// A service that is ready for production; see the [module](self). Built by [`Production::builder`], used up by
/// [`Production::serve`]. `O` is who observes its requests.
#[derive(Debug)]
pub struct Production<O = ()> {
    parts: Parts,
    observer: O,
}

impl Production {
    /// Of the service called `service`, as it stands in logs, metrics and probes, in this version.
    pub fn builder(service: impl Into<String>, version: impl Into<String>) -> Builder {
        Builder::new(service.into(), version.into())
    }
}

/// What others are told, for what the service has to tell by itself.
impl<O> Production<O> {
    /// For spans of the service's own; `None` where no spans are exported.
    #[cfg(feature = "otlp")]
    pub fn tracer(&self) -> Option<crate::otlp::Tracer> {
        self.parts.telemetry.tracer()
    }

    /// For reports of the service's own; `None` where there is no Sentry.
    #[cfg(feature = "sentry")]
    pub fn reporter(&self) -> Option<crate::sentry::Reporter> {
        self.parts.telemetry.reporter()
    }

    /// For entries of the service's own: who exported what, who was let in. `None` where no trail is kept.
    #[cfg(feature = "audit")]
    pub fn trail(&self) -> Option<crate::audit::Trail> {
        self.parts.telemetry.trail()
    }
}
