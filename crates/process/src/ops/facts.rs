//! What answers are made of: read once for each, so that an answer cannot contradict itself.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use seaworthy::core::event::Sink;
use seaworthy::core::health::{Live, Snapshot};
use seaworthy::health::Health;
use seaworthy::lifecycle::Lifecycle;
use seaworthy::probes;
pub(super) use seaworthy::probes::{Identity, Moment};

use super::samples::Samples;
use super::turns::Turns;
use crate::config::Verdict;
use crate::shape::Sample;

/// Everything that a verdict depends on, at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) known: probes::Facts,
    /// For shapes.
    pub(crate) sample: Arc<Sample>,
}

/// Where the facts are read. Clones read the same ones.
#[derive(Clone)]
pub(crate) struct Vitals {
    lifecycle: Lifecycle,
    health: Health,
    turning: Arc<dyn Fn() -> bool + Send + Sync>,
    started: Instant,
    turns: Arc<Turns>,
    samples: Samples,
}

impl Vitals {
    /// `turning` says whether every worker's loop has turned lately; `started` is when this process began. `sink` is
    /// told when a verdict turns.
    pub(crate) fn new(
        lifecycle: Lifecycle,
        health: Health,
        started: Instant,
        sink: Arc<dyn Sink>,
        turning: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            lifecycle,
            health,
            turning: Arc::new(turning),
            started,
            turns: Arc::new(Turns::new(sink)),
            samples: Samples::default(),
        }
    }

    /// Where the samples for shapes are to be put.
    pub(crate) fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The shape for `path` gave no body.
    pub(super) fn misshapen(&self, path: &str, reason: &str) {
        self.turns.misshapen(path, reason);
    }

    /// Somebody was answered `verdict` by `facts`.
    pub(super) fn answered(&self, verdict: Verdict, facts: &Facts) {
        self.turns.answered(verdict, &facts.known);
    }

    /// The facts now.
    pub(crate) fn facts(&self) -> Facts {
        let now = Moment::read();
        let known = probes::Facts {
            now,
            uptime: now.instant.saturating_duration_since(self.started),
            state: self.lifecycle.state(),
            live: Live { workers_turn: (self.turning)() },
            snapshot: believed(self.health.snapshot(), now.instant),
        };
        Facts { known, sample: self.samples.last() }
    }
}

/// The snapshot as it is to be believed at `now`. Copied only where a result in it is too old.
pub(crate) fn believed(snapshot: Arc<Snapshot>, now: Instant) -> Arc<Snapshot> {
    if snapshot.is_stale(now) { Arc::new(snapshot.aged(now)) } else { snapshot }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals").field("lifecycle", &self.lifecycle).finish_non_exhaustive()
    }
}
