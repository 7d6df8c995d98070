//! Calls to others, as they should be made: a client with timeouts, retries within a budget, a breaker and a bulkhead.
//!
//! The order is fixed, outermost first:
//!
//! > total time limit → retry → hedge → breaker → bulkhead → time limit of an attempt → transport
//!
//! so that each attempt counts for the breaker, an open breaker is asked before anything waits, and what is tried again is
//! within the total. Every refusal is an answer that carries its [`Reason`](crate::core::refusal::Reason); no error is left.
//!
//! [`Transport`] is the HTTPS client below all of it, with a pool of connections and names resolved by whoever it is told to
//! ask; it can be used alone. For calls that are no HTTP, see [`crate::breaker::Breaker::call`] and [`crate::retry::retry`].
//!
//! # Example
//!
//! ```no_run
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use seaworthy::breaker::Policy;
//! use seaworthy::client::{Client, Stack, Transport};
//! use seaworthy::core::event::Nowhere;
//! use tower::ServiceExt;
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! let stack = Stack::new("stripe", Policy::stripe(), Arc::new(Nowhere));
//! let client: Client<Full<Bytes>> = stack.over(&Transport::builder())?;
//! let request = Request::get("https://api.stripe.com/v1/charges").body(Full::default())?;
//! let answer = client.oneshot(request).await?;
//! assert!(answer.status().is_success());
//! # Ok(())
//! # }
//! ```

mod answer;
mod layered;
mod stack;
mod transport;

pub use answer::{AnswerBody, AnswerBodyError, Cause, Refusing, RefusingFuture};
pub use layered::{Client, ClientFuture};
pub use seaworthy_core::timeout::{Parts, TimeoutError, Timeouts};
pub use stack::Stack;
pub use transport::{BuildError, Failure, ResolveError, Resolver, Roots, RootsError, Transport, TransportBuilder};
pub use transport::{TransportError, TransportFuture};
