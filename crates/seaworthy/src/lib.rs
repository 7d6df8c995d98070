//! The production layer for HTTP services in Rust: probes, an end in order, limits, ids, headers, logs and metrics, in the process.
//!
//! # A tour
//!
//! [`Production`] is all of it, in the one order that is right. [`serve`](Production::serve) takes any tower service over HTTP: a `Router`
//! of axum, a `service_fn`, the `Routes` of tonic.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use seaworthy::health::{Affects, Health};
//! use seaworthy::{Lifecycle, Phase, Production, Security};
//! # #[derive(Clone)] struct Pool;
//! # impl Pool { async fn ping(&self) -> std::io::Result<()> { Ok(()) } async fn close(&self) {} }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let life = Lifecycle::from_signals();
//!     # let pool = Pool;
//!     let asked = pool.clone();
//!     let ping = move || {
//!         let pool = asked.clone();
//!         async move { Ok(pool.ping().await?) }
//!     };
//!     let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//!     Production::builder("orders", env!("CARGO_PKG_VERSION"))
//!         .health(Health::builder().check("database", Affects::Ready, ping).build())
//!         .security(Security::api())
//!         .rate_limit("100/min".parse()?)
//!         .admin(([0, 0, 0, 0], 9090).into())
//!         .on_shutdown(Phase::Databases, move || async move { pool.close().await; Ok(()) })
//!         .build()?
//!         .serve(Router::new().route("/", get(|| async { "hello" })), listener, life)
//!         .await?;
//!     Ok(())
//! }
//! ```
//!
//! | to | look at |
//! | --- | --- |
//! | stop without losing a request | [`production`], [`lifecycle`], [`phase`], [`shutdown`] |
//! | have work that a shutdown waits for | [`background`] |
//! | say what the service depends on | [`health`] |
//! | answer probes and scrapes | [`probes`], [`production::Builder::admin`] |
//! | limit clients, bodies and times | [`limit`], [`server::ConnectionLimits`] |
//! | let pages of other origins read answers | [`cors`], [`production::Builder::cors`] |
//! | count and log | [`metrics`], [`log`], [`access`] |
//! | call others, with breakers and retries | [`breaker`], [`retry`], [`hedge`], [`bulkhead`], `client` (feature `client`) |
//! | tell them whose call it is | [`propagation`] |
//! | be told when something is wrong | [`alert`], [`sink`] |
//! | test a service that does all this | [`testing`] (feature `testing`) |
//!
//! # The layers, one by one
//!
//! Every layer is a tower layer of its own, boxes nothing, and keeps the error type of the service inside it: a refusal is a response.
//! [`stack`] has all of them in order; the gateway of the `seaworthy` binary is this same stack around a proxy.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{Empty, Full};
//! use seaworthy::limit::{body::BodyLimitLayer, time::TimeLimitLayer};
//! use seaworthy::request_id::RequestIdLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(RequestIdLayer::default())
//!     .layer(BodyLimitLayer::new(1024))
//!     .layer(TimeLimitLayer::new(Duration::from_secs(5)))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let answer = service.oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap();
//! assert!(answer.headers().contains_key("x-request-id"));
//! # });
//! ```
//!
//! # The order
//!
//! > client address → request id → trace context → access event → security headers → CORS → gate (drain) → rate limit → body limit →
//! > time limit → panic guard → the service
//!
//! What is inside can refuse, and what is outside gives every refusal an id, headers and an access event.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `axum` | routes of a `Router` as labels of logs and metrics; the layers inside of a `Router` |
//! | `client` | an HTTPS client with a pool |
//! | `sqlx`, `deadpool`, `bb8` | pools of connections, watched |
//! | `tracing` | the events of a service as lines of the log, with the id of their request |
//! | `otlp`, `sentry`, `audit` | spans for a collector, reports for Sentry, an audit trail |
//! | `testing` | a paused clock, fake checks, assertions on events |
//!
//! # What stays
//!
//! Versions follow Semantic Versioning. Enums and structs that will grow are `non_exhaustive`. [`RequestBody`] should be called by this name:
//! what it stands for changes when a layer does. What is hidden from these pages is there for the `seaworthy` binary, and may change
//! with every version.

#![warn(missing_docs)]

pub mod access;
pub mod alert;
#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "axum")]
pub mod axum;
pub mod background;
pub mod body;
pub mod breaker;
pub mod bulkhead;
#[cfg(feature = "client")]
pub mod client;
pub mod client_address;
mod clock;
pub mod context;
pub mod cors;
pub mod database;
pub mod gate;
pub mod headers;
pub mod health;
pub mod hedge;
pub mod lifecycle;
pub mod limit;
pub mod log;
pub mod metrics;
mod observe;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod panic;
pub mod phase;
pub mod pool;
#[cfg(any(feature = "otlp", feature = "sentry"))]
mod post;
pub mod probes;
pub mod production;
pub mod propagation;
pub mod refusal;
pub mod request_id;
pub mod retry;
pub mod security;
#[cfg(feature = "sentry")]
pub mod sentry;
pub mod server;
pub mod shutdown;
pub mod sink;
pub mod stack;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
mod value;

pub use body::RequestBody;
pub use health::Health;
pub use lifecycle::Lifecycle;
pub use phase::Phase;
pub use production::Production;
pub use security::Security;

/// What is decided without I/O, and what it is decided from: facts, states, reasons, policies. Other policies stand where they are used,
/// as [`breaker::Policy`] does.
pub mod core {
    pub use seaworthy_core::{address, backoff, event, health, lifecycle, metric, redact, refusal, trace};
}
