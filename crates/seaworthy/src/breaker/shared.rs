//! A breaker that threads share: the policy behind a lock, and what an open one answers in front of it.
//!
//! Generic over the primitives, so that a model checker can put its own in and try all interleavings.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use seaworthy_core::breaker::{Admission, Breaker, Decision, Mode, Outcome, Permit, Snapshot, Transition};

/// What threads share by.
pub(super) trait Threads {
    type Lock<T>: Lock<T>;
    type Word: Word;
}

pub(super) trait Lock<T> {
    fn new(inside: T) -> Self;
    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R;
}

pub(super) trait Word {
    fn new(value: u64) -> Self;
    fn load(&self) -> u64;
    fn store(&self, value: u64);
    fn add(&self, value: u64);
}

/// The standard library's.
#[derive(Debug)]
pub(super) struct Std;

impl Threads for Std {
    type Lock<T> = std::sync::Mutex<T>;
    type Word = AtomicU64;
}

impl<T> Lock<T> for std::sync::Mutex<T> {
    fn new(inside: T) -> Self {
        Self::new(inside)
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // Nothing of the policy can be half done: a panic elsewhere is no reason to stop deciding.
        work(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn add(&self, value: u64) {
        self.fetch_add(value, Ordering::Relaxed);
    }
}

/// A breaker among threads.
pub(super) struct Shared<T: Threads> {
    breaker: T::Lock<Breaker>,
    /// Until when nothing is admitted, in nanoseconds since `base`; 0 where the lock has to be asked. Written under the lock.
    refuses_until: T::Word,
    /// Refused without asking the lock.
    refused: T::Word,
    base: Instant,
}

impl<T: Threads> Shared<T> {
    pub(super) fn new(breaker: Breaker, base: Instant) -> Self {
        let (refuses_until, refused) = (T::Word::new(0), T::Word::new(0));
        Self { breaker: T::Lock::new(breaker), refuses_until, refused, base }
    }

    pub(super) fn acquire(&self, now: Instant) -> Admission {
        let until = self.refuses_until.load();
        let since = nanoseconds(now.saturating_duration_since(self.base));
        if since < until {
            self.refused.add(1);
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
        let mut snapshot = self.breaker.with(|breaker| breaker.snapshot(now));
        snapshot.totals.refused += self.refused.load();
        snapshot
    }

    fn change<R>(&self, change: impl FnOnce(&mut Breaker) -> R) -> R {
        self.breaker.with(|breaker| {
            let result = change(breaker);
            let until = breaker.refuses_until();
            let until = until.map_or(0, |until| nanoseconds(until.saturating_duration_since(self.base)));
            // Most calls change nothing here, and a store would take the line from every reader.
            if self.refuses_until.load() != until {
                self.refuses_until.store(until);
            }
            result
        })
    }
}

/// Half a thousand years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod model;
