//! Limits and headers.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

pub(crate) use crate::config::raw::HeaderPreset;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) preset: HeaderPreset,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectionLimit {
    pub(crate) total: NonZeroU32,
    /// `None` means no limit.
    pub(crate) per_address: Option<NonZeroU32>,
}

/// Sizes are bytes. `None` means no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the first byte of a head to its last.
    pub(crate) head_timeout: Duration,
    /// Between requests on a kept connection.
    pub(crate) idle_timeout: Duration,
    /// Bytes a second that a request body must bring once `body_grace` is over.
    pub(crate) body_min_rate: Option<u64>,
    pub(crate) body_grace: Duration,
    pub(crate) body_size: Option<u64>,
    pub(crate) head_size: u64,
    pub(crate) header_count: NonZeroUsize,
    pub(crate) uri_length: u64,
    /// Until the head of the answer.
    pub(crate) request_timeout: Option<Duration>,
    /// Without the client taking a byte of the answer.
    pub(crate) send_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    /// Of the whole process.
    pub(crate) upstream_connections: NonZeroUsize,
}
