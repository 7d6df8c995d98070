//! The production layer for HTTP services in Rust.
//!
//! Every layer can be used alone in any tower stack; [`stack`] puts them into the one order in which refusals carry
//! an id and the headers of every other answer.

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
pub mod database;
pub mod gate;
pub mod headers;
pub mod health;
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

pub use body::RequestBody;
pub use health::Health;
pub use lifecycle::Lifecycle;
pub use phase::Phase;
pub use production::Production;
pub use seaworthy_core as core;
pub use security::Security;
