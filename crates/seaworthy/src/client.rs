//! Calls to others: what carries them.
//!
//! [`Transport`] is an HTTPS client with a pool of connections, whose names are resolved by whoever it is told to ask.

mod transport;

pub use transport::{BuildError, Failure, ResolveError, Resolver, Roots, RootsError, Transport, TransportBuilder};
pub use transport::{TransportError, TransportFuture};
