//! Results of checks and the state of the service → the four verdicts that probes answer.
//!
//! # Rules
//!
//! - **startup**: the start is complete, and every check that gates it has passed once.
//! - **live**: the process can do its work. No check has a place in [`Live`], so that none can be named there: a
//!   liveness probe that asks a dependency restarts the fleet when the dependency blinks.
//! - **ready**: the lifecycle is Ready, every check that affects readiness holds, everything required is set.
//! - **health**: healthy, degraded or unhealthy: what people and dashboards look at.
//!
//! A check that comes into a service that is ready, by a reload, withholds nothing before it has failed, or should have
//! given a result ([`Tracker::come_late`]).
//!
//! A [`Tracker`] makes what is known of one check from the results of its runs; a result that is too old is not believed
//! ([`Snapshot::is_stale`]). A check that fails because another one does says so ([`Dependencies`]).
//!
//! A [`Snapshot`] is written in the background, by whoever runs the checks; a probe only reads the last one, so that
//! its cost does not depend on how many ask or on how stuck a dependency is.
//!
//! ```
//! use seaworthy_core::health::{Live, Overall, Snapshot};
//! use seaworthy_core::lifecycle::State;
//!
//! let snapshot = Snapshot::default();
//! assert!(Live { workers_turn: true }.holds(State::Starting));
//! assert!(!snapshot.ready(State::Starting));
//! assert_eq!(snapshot.overall(State::Ready), Overall::Healthy);
//! ```

mod dependencies;
mod tracker;

use std::time::{Duration, Instant};

pub use dependencies::{Cycle, Dependencies};
pub use tracker::{Next, OnFailure, Outcome, Policy, Run, STEADY, Severity, Tracker, Turn, WINDOW};

use crate::lifecycle::State;

/// What a failing check makes worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Affects {
    /// No traffic without it.
    Ready,
    /// Worse with it down, but useful.
    #[default]
    Health,
    /// Shown, and nothing else.
    Info,
}

impl Affects {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Health => "health",
            Self::Info => "info",
        }
    }
}

/// How a check failed, without any text that could carry a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    Timeout,
    Refused,
    Auth,
    Tls,
    Protocol,
    /// It answered, but not as demanded.
    Condition,
    /// Its last result is too old to be believed.
    Stale,
}

impl Class {
    /// Every class, in the order of its number.
    pub const ALL: &'static [Self] =
        &[Self::Timeout, Self::Refused, Self::Auth, Self::Tls, Self::Protocol, Self::Condition, Self::Stale];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Auth => "auth",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Condition => "condition",
            Self::Stale => "stale",
        }
    }
}

/// Runs of a check that failed, by how they did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures([u64; Class::ALL.len()]);

impl Failures {
    /// One more.
    pub fn count(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }

    #[must_use]
    pub fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }

    /// Of all classes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// What is known of one check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// It has never run.
    #[default]
    Pending,
    Healthy,
    /// It holds with a warning, or its failure is declared to be no worse.
    Degraded,
    Unhealthy,
}

impl Status {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A number that a check reports besides its latency.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The name of its metric, as in `health_tls_days_left`.
    pub name: &'static str,
    /// Labels besides that of the check.
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

impl Measure {
    /// Without labels of its own.
    #[must_use]
    pub fn new(name: &'static str, value: f64) -> Self {
        Self { name, labels: Vec::new(), value }
    }

    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}

/// The last word on one check.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own; together they are no state")]
pub struct Check {
    pub name: String,
    /// What it asks: `postgres`, `http`.
    pub kind: &'static str,
    pub status: Status,
    pub affects: Affects,
    pub group: Option<String>,
    /// How it failed last, while it fails or warns.
    pub class: Option<Class>,
    /// For whoever may see details: text of the last error or warning.
    pub error: Option<String>,
    pub latency: Option<Duration>,
    /// Whether so many failures in a row came that it is an outage, however bad that is declared to be.
    pub down: bool,
    /// When the status last changed.
    pub since: Option<Instant>,
    pub last_checked: Option<Instant>,
    pub consecutive_failures: u32,
    /// Whether the start waits for it.
    pub gates_start: bool,
    /// Whether it has passed at least once.
    pub passed_once: bool,
    /// Whether it recovers and fails again all the time; its recoveries take longer to be believed then.
    pub flapping: bool,
    /// Whether it came into a service that was ready: then readiness and the start, which is over, do not wait for its first
    /// result.
    pub came_late: bool,
    /// From when on the last result is too old to be believed, or that of one that came late should be there; `None` while
    /// it has not run.
    pub stale_at: Option<Instant>,
    /// A failing check that it depends on: whoever looks for the cause should look there first.
    pub because_of: Option<String>,
    /// Runs that failed since the start.
    pub failures: Failures,
    /// Free values that somebody gave it.
    pub labels: Vec<(String, String)>,
    /// What the last run that measured anything has measured: one that failed seldom does.
    pub measures: Vec<Measure>,
}

impl Check {
    /// Whether the service cannot be ready by what is known of it: how bad a failure is declared to be says how healthy the
    /// service is; it takes no requests without it.
    fn withholds(&self) -> bool {
        // A reload must not take a service out of its balancer merely because it watches more than before.
        self.fails() || (self.status == Status::Pending && !self.came_late)
    }

    /// Whether it fails: down, or declared to be no worse than degraded by that.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.down || self.status == Status::Unhealthy
    }
}

/// All that verdicts are made of, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub checks: Vec<Check>,
    /// Names that `[require]` demands and that are not set.
    pub missing: Vec<String>,
    /// How many runs of checks have ended since the start.
    pub runs: u64,
}

/// What liveness is made of. There is no place for a check here.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Whether every worker's loop has turned lately.
    pub workers_turn: bool,
}

impl Live {
    #[must_use]
    pub fn holds(self, state: State) -> bool {
        self.workers_turn && state.answers().live
    }
}

/// How the service is, all in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overall {
    Healthy,
    Degraded,
    Unhealthy,
}

impl Overall {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl Snapshot {
    /// Whether any result in it is too old to be believed at `now`.
    #[must_use]
    pub fn is_stale(&self, now: Instant) -> bool {
        self.checks.iter().any(|check| check.stale_at.is_some_and(|at| now >= at))
    }

    /// What is left to believe at `now`: a check whose last result is too old counts as failed.
    #[must_use]
    pub fn aged(&self, now: Instant) -> Self {
        let mut aged = self.clone();
        for check in &mut aged.checks {
            if let Some(at) = check.stale_at.filter(|at| now >= *at) {
                (check.status, check.class) = (Status::Unhealthy, Some(Class::Stale));
                let text = match check.last_checked {
                    Some(_) => "its last result is too old to be believed",
                    None => "it has given no result yet",
                };
                check.error = Some(text.to_owned());
                check.since = Some(at);
            }
        }
        aged
    }

    /// Whether the start is complete.
    #[must_use]
    pub fn started(&self, state: State) -> bool {
        state.answers().startup
            && self.checks.iter().all(|check| !check.gates_start || check.passed_once || check.came_late)
    }

    /// Whether traffic should come.
    #[must_use]
    pub fn ready(&self, state: State) -> bool {
        state.answers().ready
            && self.missing.is_empty()
            && self.started(state)
            && !self.checks.iter().any(|check| check.affects == Affects::Ready && check.withholds())
    }

    /// How the service is, all in all. A check that never ran makes nothing unhealthy.
    #[must_use]
    pub fn overall(&self, state: State) -> Overall {
        if !state.answers().ready || !self.missing.is_empty() {
            return Overall::Unhealthy;
        }
        let of = |check: &Check| match (check.affects, check.status) {
            (Affects::Ready, Status::Unhealthy) => Overall::Unhealthy,
            (Affects::Ready | Affects::Health, Status::Degraded) | (Affects::Health, Status::Unhealthy) => {
                Overall::Degraded
            }
            (Affects::Info, _) | (_, Status::Healthy | Status::Pending) => Overall::Healthy,
        };
        self.checks.iter().map(of).max().unwrap_or(Overall::Healthy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(affects: Affects, status: Status) -> Check {
        let passed_once = status != Status::Pending;
        Check { name: "database".to_owned(), status, affects, passed_once, ..Check::default() }
    }

    fn with(check: Check) -> Snapshot {
        Snapshot { checks: vec![check], ..Snapshot::default() }
    }

    #[test]
    fn a_dependency_that_is_down_never_makes_the_process_dead() {
        let snapshot = with(check(Affects::Ready, Status::Unhealthy));
        assert!(!snapshot.ready(State::Ready));
        assert!(Live { workers_turn: true }.holds(State::Ready));
    }

    #[test]
    fn a_pending_check_withholds_readiness_but_is_not_unhealthy() {
        let snapshot = with(check(Affects::Ready, Status::Pending));
        assert!(!snapshot.ready(State::Ready));
        assert_eq!(snapshot.overall(State::Ready), Overall::Healthy);
    }

    #[test]
    fn only_what_affects_readiness_makes_the_service_unhealthy() {
        let overall = |affects, status| with(check(affects, status)).overall(State::Ready);
        assert_eq!(overall(Affects::Ready, Status::Unhealthy), Overall::Unhealthy);
        assert_eq!(overall(Affects::Health, Status::Unhealthy), Overall::Degraded);
        assert_eq!(overall(Affects::Info, Status::Unhealthy), Overall::Healthy);
    }

    #[test]
    fn an_outage_that_is_declared_to_be_no_worse_than_degraded_withholds_readiness_all_the_same() {
        let down = Check { down: true, ..check(Affects::Ready, Status::Degraded) };
        assert!(!with(down.clone()).ready(State::Ready));
        assert_eq!(with(down).overall(State::Ready), Overall::Degraded);
        assert!(with(check(Affects::Ready, Status::Degraded)).ready(State::Ready), "a warning is no outage");
    }

    #[test]
    fn a_missing_requirement_withholds_readiness() {
        let snapshot = Snapshot { missing: vec!["DATABASE_URL".to_owned()], ..Snapshot::default() };
        assert!(!snapshot.ready(State::Ready));
        assert!(snapshot.started(State::Ready));
    }

    #[test]
    fn the_start_waits_for_the_checks_that_gate_it_to_pass_once() {
        let mut gate = check(Affects::Info, Status::Unhealthy);
        (gate.gates_start, gate.passed_once) = (true, false);
        assert!(!with(gate.clone()).started(State::Ready));
        gate.passed_once = true;
        assert!(with(gate).started(State::Ready));
    }

    #[test]
    fn a_draining_service_is_live_and_not_ready() {
        let snapshot = Snapshot::default();
        assert!(!snapshot.ready(State::Draining));
        assert!(Live { workers_turn: true }.holds(State::Draining));
        assert_eq!(snapshot.overall(State::Draining), Overall::Unhealthy);
    }

    #[test]
    fn a_result_that_is_too_old_counts_as_a_failure() {
        let now = Instant::now();
        let old = Check { stale_at: Some(now), ..check(Affects::Ready, Status::Healthy) };
        let snapshot = with(old);
        let before = now.checked_sub(Duration::from_nanos(1)).unwrap();
        assert!(!snapshot.is_stale(before));
        assert!(snapshot.is_stale(now));
        let aged = snapshot.aged(now);
        assert!(!aged.ready(State::Ready));
        assert_eq!(aged.checks[0].class, Some(Class::Stale));
        assert!(snapshot.aged(before).ready(State::Ready));
    }

    #[test]
    fn a_check_that_came_late_withholds_nothing_until_it_fails_or_stays_away() {
        let now = Instant::now();
        let late = Check {
            came_late: true,
            gates_start: true,
            stale_at: Some(now + Duration::from_secs(1)),
            ..check(Affects::Ready, Status::Pending)
        };
        assert!(with(late.clone()).aged(now).ready(State::Ready));
        let away = with(late.clone()).aged(now + Duration::from_secs(1));
        assert!(!away.ready(State::Ready), "a result should be there by now");
        assert_eq!(away.checks[0].error.as_deref(), Some("it has given no result yet"));
        let failed = Check { status: Status::Unhealthy, ..late };
        assert!(!with(failed.clone()).ready(State::Ready));
        assert!(with(failed).started(State::Ready), "what is started stays started");
    }

    #[test]
    fn the_number_of_a_class_is_its_place_in_the_list() {
        for (place, class) in Class::ALL.iter().enumerate() {
            assert_eq!(*class as usize, place);
        }
    }
}
