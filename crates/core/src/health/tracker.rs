//! From the results of runs to what is known of a check.
//!
//! # Rules
//!
//! - One bad result is no outage: a check is down after `failure_threshold` failures in a row, and up again after
//!   `success_threshold` passes. While that is undecided it asks to be repeated [soon](Next::soon), so that thresholds
//!   cost seconds rather than intervals.
//! - How bad a failure is depends on its class: a database that refuses connections may be tolerable where one that
//!   answers nonsense is not.
//! - A recovery of a check that has recovered [`STEADY`] times within [`WINDOW`] is believed only after twice as many
//!   passes, then four times, up to 16 times: whoever is told of it shall not be told every minute. Failures are never
//!   held back.
//! - A pass with a warning, or one that took longer than `warn_latency`, is degraded, at once.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::{Check, Class, Measure, Status};

/// Within how long recoveries are counted against a check.
pub const WINDOW: Duration = Duration::from_mins(10);

/// So many recoveries within [`WINDOW`] are believed as usual.
pub const STEADY: usize = 2;

/// The most that a recovery is made harder by, as a power of two.
const HARDEST: usize = 4;

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Degraded,
    Unhealthy,
}

/// How bad a failure is, by its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnFailure([Severity; Class::ALL.len()]);

impl OnFailure {
    /// The same for every class.
    #[must_use]
    pub fn all(severity: Severity) -> Self {
        Self([severity; Class::ALL.len()])
    }

    /// Another severity for one class.
    #[must_use]
    pub fn with(mut self, class: Class, severity: Severity) -> Self {
        self.0[class as usize] = severity;
        self
    }

    #[must_use]
    pub fn of(&self, class: Class) -> Severity {
        self.0[class as usize]
    }
}

impl Default for OnFailure {
    fn default() -> Self {
        Self::all(Severity::Unhealthy)
    }
}

/// When results are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Default: 2.
    pub failure_threshold: NonZeroU32,
    /// Default: 1.
    pub success_threshold: NonZeroU32,
    pub on_failure: OnFailure,
    /// A pass that takes longer is degraded. Default: none is.
    pub warn_latency: Option<Duration>,
    /// How long after its end a result is believed. Default: 105 s, which is 3 × (30 s interval + 5 s timeout).
    pub stale_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            failure_threshold: NonZeroU32::MIN.saturating_add(1),
            success_threshold: NonZeroU32::MIN,
            on_failure: OnFailure::default(),
            warn_latency: None,
            stale_after: Duration::from_secs(105),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds; perhaps not for long any more.
    Passed { warning: Option<String> },
    Failed {
        class: Class,
        /// For whoever may see details. Never with a secret in it.
        error: String,
    },
}

/// One run of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub began: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
    pub measures: Vec<Measure>,
}

/// A change of the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub from: Status,
    pub to: Status,
}

/// What a run leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Next {
    /// Whether the status changed.
    pub turn: Option<Turn>,
    /// Whether to run again at once rather than after the interval: this result alone decides nothing.
    pub soon: bool,
}

/// Follows one check. Holds as many instants as there are recoveries that count, at most seven.
#[derive(Debug, Clone)]
pub struct Tracker {
    policy: Policy,
    check: Check,
    passes_in_a_row: u32,
    recoveries: VecDeque<Instant>,
}

impl Tracker {
    /// Follows `check`, of which nothing is known yet but its name and what it affects.
    pub fn new(check: Check, policy: Policy) -> Self {
        Self { policy, check, passes_in_a_row: 0, recoveries: VecDeque::new() }
    }

    /// What is known now.
    pub fn check(&self) -> &Check {
        &self.check
    }

    /// Goes on under another description and policy, with the same knowledge.
    pub fn describe(&mut self, described: Check, policy: Policy) {
        let Check { name, kind, affects, group, gates_start, labels, .. } = described;
        let known = std::mem::take(&mut self.check);
        self.check = Check { name, kind, affects, group, gates_start, labels, ..known };
        self.policy = policy;
    }

    /// It comes at `now` into a service that is ready, which does not wait for its first result longer than a result is
    /// believed.
    pub fn come_late(&mut self, now: Instant) {
        self.check.came_late = true;
        if self.check.last_checked.is_none() {
            self.check.stale_at = now.checked_add(self.policy.stale_after);
        }
    }

    /// Takes the result of a run.
    pub fn ended(&mut self, run: Run) -> Next {
        let Run { began, ended, outcome, measures } = run;
        let before = self.check.status;
        let latency = ended.saturating_duration_since(began);
        self.check.last_checked = Some(ended);
        self.check.stale_at = ended.checked_add(self.policy.stale_after);
        self.forget(ended);
        let soon = match outcome {
            Outcome::Passed { warning } => {
                self.check.latency = Some(latency);
                self.check.measures = measures;
                self.passed(ended, warning.or_else(|| self.slow(latency)))
            }
            Outcome::Failed { class, error } => {
                // What was measured before stands, unless there is news of it.
                if !measures.is_empty() {
                    self.check.measures = measures;
                }
                self.failed(class, error)
            }
        };
        self.check.flapping = self.recoveries.len() > STEADY;
        let turn = (self.check.status != before).then_some(Turn { from: before, to: self.check.status });
        if turn.is_some() {
            self.check.since = Some(ended);
        }
        Next { turn, soon }
    }

    fn passed(&mut self, now: Instant, warning: Option<String>) -> bool {
        self.passes_in_a_row = self.passes_in_a_row.saturating_add(1);
        self.check.consecutive_failures = 0;
        self.check.passed_once = true;
        if self.check.down {
            if self.passes_in_a_row < self.passes_needed() {
                // What flaps waits for its intervals: repeating it soon would take the damping away again.
                return self.passes_in_a_row < self.policy.success_threshold.get();
            }
            self.check.down = false;
            self.recoveries.push_back(now);
        }
        self.check.status = if warning.is_some() { Status::Degraded } else { Status::Healthy };
        self.check.class = warning.is_some().then_some(Class::Condition);
        self.check.error = warning;
        false
    }

    fn failed(&mut self, class: Class, error: String) -> bool {
        self.passes_in_a_row = 0;
        self.check.consecutive_failures = self.check.consecutive_failures.saturating_add(1);
        self.check.failures.count(class);
        (self.check.class, self.check.error) = (Some(class), Some(error));
        self.check.down |= self.check.consecutive_failures >= self.policy.failure_threshold.get();
        if self.check.down {
            self.check.status = match self.policy.on_failure.of(class) {
                Severity::Degraded => Status::Degraded,
                Severity::Unhealthy => Status::Unhealthy,
            };
        }
        !self.check.down
    }

    fn slow(&self, latency: Duration) -> Option<String> {
        let most = self.policy.warn_latency.filter(|most| latency > *most)?;
        Some(format!("it took {latency:.1?}, longer than {most:?}"))
    }

    fn passes_needed(&self) -> u32 {
        let harder = self.recoveries.len().saturating_sub(STEADY).min(HARDEST);
        self.policy.success_threshold.get().saturating_mul(1 << harder)
    }

    fn forget(&mut self, now: Instant) {
        self.recoveries.retain(|at| now.saturating_duration_since(*at) < WINDOW);
        while self.recoveries.len() > STEADY + HARDEST {
            self.recoveries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
