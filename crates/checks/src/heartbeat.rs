//! Signs of life from what is not asked: cron jobs, backups, workers without HTTP.
//!
//! # Rules
//!
//! - A job is due `within` a time after its last success, or when its cron expression says; `grace` later it is late.
//! - A job that says when it starts is not late while it runs, for as long as it may take.
//! - A job that says that it failed has failed until it succeeds.
//! - Before the first success, time counts from when somebody began to wait for it.
//!
//! Times are those of the wall clock: they are compared with schedules that people write, and they survive a restart. A clock
//! that is set moves them, by as much as it was wrong.

mod schedule;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

pub use self::schedule::{Schedule, ScheduleError};

/// What a job says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It begins.
    Start,
    /// It is done; `took` is how long that took, if it knows better than the time since its start.
    Success { took: Option<Duration> },
    /// It failed, perhaps with an exit code.
    Failure { code: Option<u8> },
}

/// What is known of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// Since when somebody waits for it.
    pub since: Timestamp,
    /// When it last succeeded.
    pub last: Option<Timestamp>,
    /// How long its last run took, where that is known.
    pub took: Option<Duration>,
    /// When it began, while it runs.
    pub started: Option<Timestamp>,
    /// When it failed, if it has not succeeded since, and its exit code.
    pub failed: Option<(Timestamp, Option<u8>)>,
}

/// Why a job is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Failed {
        ago: Duration,
        code: Option<u8>,
    },
    /// It began and has not ended.
    TooLong {
        ago: Duration,
    },
    /// The last success, or the beginning of the wait, was so long ago.
    Late {
        ago: Duration,
        due: Timestamp,
        ever: bool,
    },
}

impl Pulse {
    #[must_use]
    pub fn new(since: Timestamp) -> Self {
        Self { since, last: None, took: None, started: None, failed: None }
    }

    /// Takes a signal that came at `now`.
    pub fn take(&mut self, signal: Signal, now: Timestamp) {
        let ran = self.started.map(|started| between(started, now));
        match signal {
            Signal::Start => self.started = Some(now),
            Signal::Success { took } => {
                *self = Self { last: Some(now), took: took.or(ran), started: None, failed: None, ..*self };
            }
            Signal::Failure { code } => {
                *self = Self { took: ran.or(self.took), started: None, failed: Some((now, code)), ..*self };
            }
        }
    }

    /// What is wrong at `now` with a job that is due by `schedule`, may be late by `grace`, and may run for `longest`; without
    /// one, until it is due again.
    #[must_use]
    pub fn trouble(
        &self,
        schedule: &Schedule,
        grace: Duration,
        longest: Option<Duration>,
        now: Timestamp,
    ) -> Option<Trouble> {
        if let Some((at, code)) = self.failed {
            return Some(Trouble::Failed { ago: between(at, now), code });
        }
        if let Some(started) = self.started {
            let end = longest.map_or_else(
                || schedule.after(started).map(|due| later(due, grace)),
                |longest| Some(later(started, longest)),
            );
            return end.filter(|end| now > *end).map(|_| Trouble::TooLong { ago: between(started, now) });
        }
        let from = self.last.unwrap_or(self.since);
        let due = schedule.after(from)?;
        let late = Trouble::Late { ago: between(from, now), due, ever: self.last.is_some() };
        (now > later(due, grace)).then_some(late)
    }
}

/// From one time to a later one; nothing where a clock was set back in between.
fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or_default()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// What is known of every job that is waited for. Clones share it; there are as many as heartbeat checks.
#[derive(Clone, Default)]
pub struct Heartbeats(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pulses: Mutex<Pulses>,
    changed: Notify,
}

#[derive(Default)]
struct Pulses {
    /// Of the checks that there are.
    expected: BTreeMap<String, Pulse>,
    /// From before a restart, until their checks are there.
    kept: BTreeMap<String, Pulse>,
}

impl Heartbeats {
    /// What was known before a restart.
    pub fn restore(&self, pulses: BTreeMap<String, Pulse>) {
        self.pulses().kept = pulses;
    }

    /// Takes signals for `name` from now on.
    pub fn expect(&self, name: &str) {
        let mut pulses = self.pulses();
        if !pulses.expected.contains_key(name) {
            let pulse = pulses.kept.remove(name).unwrap_or_else(|| Pulse::new(Timestamp::now()));
            pulses.expected.insert(name.to_owned(), pulse);
            drop(pulses);
            self.0.changed.notify_one();
        }
    }

    /// Takes a signal. `false` where nobody waits for one of this name.
    pub fn take(&self, name: &str, signal: Signal) -> bool {
        let taken = self.pulses().expected.get_mut(name).map(|pulse| pulse.take(signal, Timestamp::now())).is_some();
        if taken {
            self.0.changed.notify_one();
        }
        taken
    }

    /// What is known of `name`.
    #[must_use]
    pub fn pulse(&self, name: &str) -> Option<Pulse> {
        self.pulses().expected.get(name).copied()
    }

    /// What is to be known after a restart.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Pulse> {
        self.pulses().expected.clone()
    }

    /// Completes when something has changed since it last completed. For one who waits.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    fn pulses(&self) -> MutexGuard<'_, Pulses> {
        // A map is whole at any time.
        self.0.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Heartbeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heartbeats")
    }
}

#[cfg(test)]
mod tests;
