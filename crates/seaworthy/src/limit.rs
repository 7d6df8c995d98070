//! Limits on requests: [`body`], [`time`] and [`rate`].
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::limit::{body::BodyLimitLayer, rate::{RateLimit, RateLimitLayer}, time::TimeLimitLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(RateLimitLayer::new(RateLimit::new("1/min".parse().unwrap())))
//!     .layer(BodyLimitLayer::new(1024))
//!     .layer(TimeLimitLayer::new(Duration::from_secs(5)))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let asked = |size| service.clone().oneshot(Request::new(Full::<Bytes>::from(vec![0; size])));
//! assert_eq!(asked(1025).await.unwrap().status(), 413);
//! assert_eq!(asked(1).await.unwrap().status(), 429, "that was the one of this minute");
//! # });
//! ```

pub mod body;
pub mod rate;
pub mod time;
