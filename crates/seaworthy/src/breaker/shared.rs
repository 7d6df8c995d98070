//! A breaker that threads share: the policy behind a lock, and what an open one answers in front of it.
//!
//! What it shares by is named beside it: a model checker takes this very file with primitives of its own, and tries all interleavings.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use seaworthy_core::breaker::{Admission, Breaker, Decision, Mode, Outcome, Permit, Snapshot, Transition};

use super::threads::{AtomicU64, Mutex};

/// A breaker among threads.
pub(super) struct Shared {
    breaker: Mutex<Breaker>,
    /// Until when nothing is admitted, in nanoseconds since `base`; 0 where the lock has to be asked. Written under the lock.
    refuses_until: AtomicU64,
    /// Refused without asking the lock.
    refused: AtomicU64,
    base: Instant,
}

impl Shared {
    pub(super) fn new(breaker: Breaker, base: Instant) -> Self {
        let (refuses_until, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { breaker: Mutex::new(breaker), refuses_until, refused, base }
    }

    pub(super) fn acquire(&self, now: Instant) -> Admission {
        let until = self.refuses_until.load(Acquire);
        let since = nanoseconds(now.saturating_duration_since(self.base));
        if since < until {
            self.refused.fetch_add(1, Relaxed);
            let retry_after = Duration::from_nanos(until - since);
            return Admission { decision: Decision::Refused { retry_after }, transition: None };
        }
        self.change(|breaker| breaker.acquire(now))
    }

    pub(super) fn finish(&self, permit: Permit, outcome: Outcome, now: Instant, random: f64) -> Option<Transition> {
        self.change(|breaker| breaker.finish(permit, outcome, now, random))
    }

    pub(super) fn reset(&self) -> Option<Transition> {
        self.change(Breaker::reset)
    }

    /// Returns the mode before.
    pub(super) fn set_mode(&self, mode: Mode) -> Mode {
        self.change(|breaker| {
            let before = breaker.mode();
            breaker.set_mode(mode);
            before
        })
    }

    pub(super) fn snapshot(&self, now: Instant) -> Snapshot {
        let mut snapshot = self.with(|breaker| breaker.snapshot(now));
        snapshot.totals.refused += self.refused.load(Acquire);
        snapshot
    }

    fn with<R>(&self, work: impl FnOnce(&mut Breaker) -> R) -> R {
        // Nothing of the policy can be half done: a panic elsewhere is no reason to stop deciding.
        work(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<R>(&self, change: impl FnOnce(&mut Breaker) -> R) -> R {
        self.with(|breaker| {
            let result = change(breaker);
            let until = breaker.refuses_until();
            let until = until.map_or(0, |until| nanoseconds(until.saturating_duration_since(self.base)));
            // Most calls change nothing here, and a store would take the line from every reader.
            if self.refuses_until.load(Acquire) != until {
                self.refuses_until.store(until, Release);
            }
            result
        })
    }
}

/// Half a thousand years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
