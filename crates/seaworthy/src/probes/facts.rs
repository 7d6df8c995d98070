//! What answers are made of: read once for each, so that an answer cannot contradict itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use seaworthy_core::health::{Live, Snapshot};
use seaworthy_core::lifecycle::State;

use crate::clock;
use crate::health::Health;
use crate::lifecycle::Lifecycle;

/// Who answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The name of the service.
    pub service: String,
    /// Its version, if anybody said it.
    pub version: Option<String>,
    /// Free values, shown in the default format.
    pub info: BTreeMap<String, String>,
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// On the clock that never goes back.
    pub instant: Instant,
    /// On the clock that people read.
    pub wall: Timestamp,
}

impl Moment {
    /// Now.
    pub fn read() -> Self {
        Self { instant: clock::now(), wall: Timestamp::now() }
    }

    /// When `instant` was, on the wall clock as it goes now.
    #[must_use]
    pub fn wall_of(&self, instant: Instant) -> Timestamp {
        let ago = self.instant.saturating_duration_since(instant);
        SignedDuration::try_from(ago).ok().and_then(|ago| self.wall.checked_sub(ago).ok()).unwrap_or(Timestamp::MIN)
    }
}

/// Everything that a verdict depends on, at one moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When they were read.
    pub now: Moment,
    /// How long the process has been running.
    pub uptime: Duration,
    /// The state of its lifecycle.
    pub state: State,
    /// All that liveness is made of.
    pub live: Live,
    /// What checks have found, as far as it is to be believed at that moment.
    pub snapshot: Arc<Snapshot>,
}

/// Where the facts are read. Clones read the same ones.
#[derive(Clone)]
pub struct Vitals {
    lifecycle: Lifecycle,
    health: Health,
    turning: Arc<dyn Fn() -> bool + Send + Sync>,
    started: Instant,
}

impl Vitals {
    /// `turning` says whether what serves requests has turned lately: all that liveness is made of.
    pub fn new(lifecycle: Lifecycle, health: Health, turning: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { lifecycle, health, turning: Arc::new(turning), started: clock::now() }
    }

    /// The facts now.
    pub fn facts(&self) -> Facts {
        let now = Moment::read();
        Facts {
            now,
            uptime: now.instant.saturating_duration_since(self.started),
            state: self.lifecycle.state(),
            live: Live { workers_turn: (self.turning)() },
            snapshot: self.health.believed(),
        }
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals").field("lifecycle", &self.lifecycle).finish_non_exhaustive()
    }
}
