//! How many requests a client may make: 429 with `Retry-After` for one more.
//!
//! # Rules
//!
//! - A client is its address as [`ClientAddressLayer`](crate::client_address::ClientAddressLayer) found it (IPv6 by its /64), or the value of a
//!   header. Whoever has none shares one allowance with all others of his kind: what is not known fails closed.
//! - Allowed answers carry `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds until the whole allowance is back). A refusal carries
//!   `Retry-After`, and `RateLimit` and `RateLimit-Policy` as well (draft-ietf-httpapi-ratelimit-headers).
//! - Probes and metrics are exempt, and whatever is named.
//! - Memory is bounded: at most 64 bytes a key, and a million keys by default; see
//!   [`Keyed`](seaworthy_core::limit::Keyed) for what happens then.
//!
//! # In production
//!
//! Behind a balancer that is not among the trusted proxies all clients are one address, the balancer's. When a refusal shows that,
//! by an `X-Forwarded-For` from somebody who is not trusted, it is said once.
//!
//! The allowance is that of one process: of `n` replicas a client has `n` times as much.
//!
//! # Example
//!
//! ```
//! use seaworthy::limit::rate::{RateLimit, RateLimitLayer};
//!
//! let layer = RateLimitLayer::new(RateLimit::new("10/s".parse()?).burst(20)?.exempt("/internal/*"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod limiter;
mod service;
mod settings;
mod stamp;
#[cfg(test)]
mod tests;

pub use limiter::Counts;
pub(crate) use limiter::Limiter;
pub use seaworthy_core::limit::{Algorithm, LimitError, Rate, RateError};
pub use service::{RateLimitFuture, RateLimitLayer, RateLimited};
pub(crate) use service::{Refused, Verdict};
pub use settings::RateLimit;
pub(crate) use stamp::Allowance;
