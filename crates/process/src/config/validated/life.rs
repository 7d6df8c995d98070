//! Start, drain, stop, restart: the times and the orders.

use std::num::NonZeroU32;
use std::time::Duration;

use super::app::{Hook, Signal};
pub(crate) use crate::config::raw::{DrainPolicy, RestartPolicy, StopScope};

/// What is kept at the end of the grace to write out logs and reports.
pub(crate) const FLUSH: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    /// From the start of the program until it is ready.
    pub(crate) timeout: Duration,
    /// How long a request may wait for the first start; 0 answers 503 at once.
    pub(crate) hold: Duration,
    /// How long a request may wait for a program that died to be back.
    pub(crate) hold_after_crash: Duration,
}

/// Invariant: `delay + timeout + stop.timeout + FLUSH <= grace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drain {
    /// From the signal until the platform kills.
    pub(crate) grace: Duration,
    /// How long the listener stays open after readiness failed.
    pub(crate) delay: Duration,
    /// How long requests in flight may take once the listener is closed.
    pub(crate) timeout: Duration,
    pub(crate) policy: DrainPolicy,
    pub(crate) on_start: Vec<Hook>,
    /// Over how long WebSockets and event streams are closed; at most `timeout`.
    pub(crate) websocket_spread: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) signal: Signal,
    pub(crate) scope: StopScope,
    /// What is reserved for the program and its hooks; the program may take all that is left of the grace.
    pub(crate) timeout: Duration,
    pub(crate) before: Vec<Hook>,
    pub(crate) after: Vec<Hook>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restart {
    pub(crate) policy: RestartPolicy,
    /// Before the first restart; doubled each time, with jitter.
    pub(crate) backoff: Duration,
    pub(crate) max_backoff: Duration,
    /// This many deaths within `window` and we give up.
    pub(crate) deaths: NonZeroU32,
    pub(crate) window: Duration,
}
