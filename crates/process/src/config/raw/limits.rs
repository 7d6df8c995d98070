//! The table `[limits]`.

use std::num::NonZeroUsize;
use std::time::Duration;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, seconds};
use crate::config::units::{As, ByteRate, OrOff, Size};

/// What a request may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Limits {
    /// From the first byte of a request's head to its last; then 408.
    pub(crate) head_timeout: Time,

    /// How long a kept connection may be idle. Keep it above the balancer's own (60s for most), so that it closes first.
    pub(crate) idle_timeout: Time,

    /// How fast a request body must come, on average, once `body-grace` is over; then 408. Each stream of HTTP/2 by itself. `off` waits for
    /// ever.
    pub(crate) body_min_rate: As<OrOff<ByteRate>>,

    /// How long a request body may be slower than `body-min-rate`.
    pub(crate) body_grace: Time,

    /// The largest request body; beyond it 413. `off` takes any.
    pub(crate) body_size: As<OrOff<Size>>,

    /// The largest head of a request, all headers together; beyond it 431.
    pub(crate) head_size: As<Size>,

    /// The most headers of a request; beyond it 431.
    #[cfg_attr(test, schemars(range(max = 16_384)))]
    // `HeaderMap` takes 32768, and needs room for those that we add.
    pub(crate) header_count: NonZeroUsize,

    /// The longest path with query; beyond it 414.
    pub(crate) uri_length: As<Size>,

    /// How long the program may take to the head of its answer; then 504. `off` waits for ever.
    pub(crate) request_timeout: As<OrOff<Duration>>,

    /// How long a client may take no byte of its answer; then the connection is cut.
    pub(crate) send_timeout: Time,

    /// How long a connection to the upstream may take; then 504.
    pub(crate) connect_timeout: Time,

    /// How many connections to the upstream may be open at a time, over all workers.
    #[cfg_attr(test, schemars(range(max = 1_000_000)))]
    pub(crate) upstream_connections: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: seconds(10),
            idle_timeout: seconds(75),
            body_min_rate: As(OrOff::On(ByteRate(240))),
            body_grace: seconds(10),
            // nginx stops at 1 MB and surprises everybody; without any limit one upload can fill a disk.
            body_size: As(OrOff::On(Size(100 << 20))),
            head_size: As(Size(64 << 10)),
            header_count: NonZeroUsize::new(100).expect("100 is not 0"),
            uri_length: As(Size(8 << 10)),
            request_timeout: As(OrOff::On(Duration::from_mins(1))),
            send_timeout: seconds(60),
            connect_timeout: seconds(3),
            upstream_connections: NonZeroUsize::new(1024).expect("1024 is not 0"),
        }
    }
}
