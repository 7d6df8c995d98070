//! Serves HTTP/1.1 and HTTP/2 (prior knowledge) on a task a connection, so that a drain loses nothing.
//!
//! # Rules
//!
//! - An idle connection is closed only when nothing of a next request has arrived: its stream reports the end to hyper, after a
//!   read that found nothing. hyper's `graceful_shutdown` of HTTP/1 is not used, because it cuts such a connection also
//!   where half a head is on it (hyper#3792).
//! - hyper's header timeout is not used either, because it is its keep-alive timeout as well: one sweep, ten times a second,
//!   holds the timers of all connections.
//! - A body that somebody waits for must come: a client that sends a byte now and then holds up nobody for long, nor does one that sends
//!   another stream of the same connection fast.
//! - A connection counts as open until its stream is dropped, so that a WebSocket, whose stream the service owns, is waited
//!   for. It is told to leave by a close frame with code 1001, between two frames.
//! - Early answers linger: the write side is closed first, and what the client still sends is thrown away until it is silent
//!   for two seconds, for ten at most, because a reset would destroy the answer on its way (RFC 9112, 9.6).
//!
//! What a server cannot close is the race in which a client writes on an idle connection in the very moment in which we
//! close it. HTTP/1 clients see the end before a byte of an answer, and may send again (RFC 9112, 9.3.1).
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use seaworthy::Production;
//! use seaworthy::server::{ConnectionLimits, port};
//!
//! let mut limits = ConnectionLimits::default();
//! limits.connections = 2_000;
//! limits.body_min_rate = Some(1024); // bytes a second
//! limits.idle_timeout = Duration::from_secs(120);
//! Production::builder("orders", "1.0.0").connections(limits).build()?;
//! assert_eq!(port("A_PORT_THAT_NOBODY_SET", 8080)?, 8080);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod body;
mod connection;
mod counts;
mod entry;
mod handler;
mod listener;
mod meter;
mod port;
mod received;
mod registry;
mod socket;
mod state;
mod stream;
mod sweep;
#[cfg(test)]
mod tests;
mod tunnel;
#[doc(hidden)]
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use seaworthy_core::event::Sink;
use tokio::sync::watch;

pub use listener::{Listener, ListenerError};
pub use port::{PortError, port};
pub use received::{ReceivedBody, ReceivedBodyError};

pub(crate) use accept::{Server, Setup};
pub(crate) use counts::Counts;
pub(crate) use meter::Meter;

/// Limits on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Connections open at a time; more wait in the backlog of the kernel. Default: 10,000.
    pub connections: usize,
    /// From the first byte of a request head to its last. Default: 10 s.
    pub head_timeout: Duration,
    /// Between requests on a kept connection. Default: 75 s, longer than the 60 s of the common balancers, so that it is they who
    /// close.
    pub idle_timeout: Duration,
    /// How fast the body of a request must come while somebody waits for it, in bytes a second; then it is answered 408, and the service
    /// sees an error of the body. Each stream of HTTP/2 has to come so fast by itself, and is answered alone. `None` waits for ever.
    /// Default: 240.
    pub body_min_rate: Option<u64>,
    /// How long a body may be slower than that. Default: 10 s.
    pub body_grace: Duration,
    /// Without the client taking a byte of what is sent. Default: 30 s.
    pub send_timeout: Duration,
    /// Most bytes of a request head. Default: 32 KiB.
    pub head_size: usize,
    /// Most header fields of a request. Default: 100.
    pub header_count: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_min_rate: Some(240),
            body_grace: Duration::from_secs(10),
            send_timeout: Duration::from_secs(30),
            head_size: 32 * 1024,
            header_count: 100,
        }
    }
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) limits: ConnectionLimits,
    pub(crate) registry: registry::Registry,
    pub(crate) sink: Arc<dyn Sink>,
    /// Read also when the server is gone, so that no counter falls.
    counts: Arc<Counts>,
    /// Since when clients are told to leave, in ticks; the greatest number before that.
    farewell: AtomicU32,
    /// The listener is closed and what is idle goes; streams end over this time.
    finish: watch::Sender<Option<Duration>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("registry", &self.registry).finish_non_exhaustive()
    }
}
