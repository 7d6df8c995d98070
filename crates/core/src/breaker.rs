//! When to stop calling what fails, and when to try it again.
//!
//! # Transitions
//!
//! | from | to | when |
//! | --- | --- | --- |
//! | closed | open | [`Policy::failures`] within their window, or a rate of [`Policy::rates`] is reached |
//! | open | half-open | a call comes after the open time; it is the first probe |
//! | half-open | closed | [`Policy::probes`] probes succeeded in a row |
//! | half-open | open | a probe failed, or was slow where slow calls count; the open time doubles |
//! | any | closed | [`Breaker::reset`] |
//!
//! # Rules
//!
//! - Half-open, a call needs a lease, and there are as many as probes are still needed. A lease ends with its call, however
//!   that ends: judged, ignored or given up. One that is not heard of for [`Policy::probe_timeout`] is taken back, so that
//!   no lost call keeps a breaker half-open (resilience4j#544, #903).
//! - The result of a call counts only in the state that it was admitted in. One that was slow to fail, and comes back when
//!   the breaker has been open and closed again, says nothing of now.
//! - The open time grows with each opening that follows without a close between, up to the longest of its [`OpenTime`]. Jitter is added
//!   and never taken off: a stated open time is a promise to whoever is being spared.
//! - [`Mode`] overrules: forced open, disabled, or counting without consequences.
//!
//! # In production
//!
//! A breaker holds as many numbers as [`Window::Calls`] or its number of failures says, and ten buckets for a window of time;
//! [`PolicyError`] bounds them. Share one among threads behind a lock, as `seaworthy::breaker` does.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//! use seaworthy_core::breaker::{Breaker, Decision, Outcome, Policy, State};
//!
//! let mut breaker = Breaker::new(Policy::stripe()); // 3 failures in 60 s, open for 30 s
//! let start = Instant::now();
//! for _ in 0..3 {
//!     let Decision::Admitted(permit) = breaker.acquire(start).decision else { panic!("closed") };
//!     breaker.finish(permit, Outcome::Failure, start, 0.0);
//! }
//! assert_eq!(breaker.state(), State::Open);
//! let refused = breaker.acquire(start + Duration::from_secs(10)).decision;
//! assert_eq!(refused, Decision::Refused { retry_after: Duration::from_secs(20) });
//! ```

mod policy;
mod verdict;
mod window;

use std::time::{Duration, Instant};

pub use policy::{Failures, OpenTime, Percent, Policy, PolicyError, Rates, Slow, Window};

pub use verdict::{Admission, Cause, Decision, Mode, Outcome, Permit, Snapshot, State, Totals, Transition};

use crate::backoff::part;
use window::{Recent, Sample};

#[derive(Debug, Clone)]
enum Place {
    Closed(Recent),
    Open { until: Instant },
    HalfOpen { leases: Vec<Lease>, succeeded: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    id: u64,
    until: Instant,
}

/// The breaker of one service.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: Policy,
    mode: Mode,
    place: Place,
    /// Grows with each transition, so that a late result is known as such.
    generation: u64,
    /// Openings since the last close: what the open time grows by.
    in_a_row: u32,
    opened: u64,
    next_lease: u64,
    totals: Totals,
}

impl Breaker {
    /// Closed, and without a history.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            mode: Mode::Automatic,
            place: Place::Closed(Recent::of(&policy)),
            generation: 0,
            in_a_row: 0,
            opened: 0,
            next_lease: 0,
            totals: Totals::default(),
        }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where it stands. An open time that is over is noticed by the next call, not here.
    #[must_use]
    pub fn state(&self) -> State {
        match self.place {
            Place::Closed(_) => State::Closed,
            Place::Open { .. } => State::Open,
            Place::HalfOpen { .. } => State::HalfOpen,
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Overrules the calls, or gives the decision back to them. The state stays as it was.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Until when no call is admitted, as far as that is known now.
    #[must_use]
    pub fn refuses_until(&self) -> Option<Instant> {
        match (self.mode, &self.place) {
            (Mode::Automatic, Place::Open { until }) => Some(*until),
            _ => None,
        }
    }

    /// Whether a call may be made at `now`.
    pub fn acquire(&mut self, now: Instant) -> Admission {
        match self.mode {
            Mode::ForcedOpen => return self.refuse(self.policy.open.time.first, None),
            Mode::Disabled | Mode::MetricsOnly => return self.admit(now, None, None),
            Mode::Automatic => {}
        }
        let mut transition = None;
        match &self.place {
            Place::Closed(_) => return self.admit(now, None, None),
            Place::Open { until } if now < *until => return self.refuse(*until - now, None),
            Place::Open { .. } => {
                let place = Place::HalfOpen { leases: Vec::new(), succeeded: 0 };
                transition = Some(self.go(place, Cause::OpenTimeOver, None));
            }
            Place::HalfOpen { .. } => {}
        }
        let (needed, timeout) = (self.policy.probes.get(), self.policy.probe_timeout);
        let Place::HalfOpen { leases, succeeded } = &mut self.place else {
            return self.admit(now, None, transition);
        };
        leases.retain(|lease| now < lease.until);
        let out = u32::try_from(leases.len()).unwrap_or(u32::MAX);
        if out.saturating_add(*succeeded) < needed {
            let id = self.next_lease;
            self.next_lease += 1;
            leases.push(Lease { id, until: now + timeout });
            return self.admit(now, Some(id), transition);
        }
        // The probes that are out decide; the first lease to run out is the latest that anybody has to wait for.
        let until = leases.iter().map(|lease| lease.until).min().unwrap_or(now);
        self.refuse(until.saturating_duration_since(now).min(Duration::from_secs(1)), transition)
    }

    fn admit(&self, now: Instant, probe: Option<u64>, transition: Option<Transition>) -> Admission {
        let permit = Permit { generation: self.generation, started: now, probe };
        Admission { decision: Decision::Admitted(permit), transition }
    }

    fn refuse(&mut self, retry_after: Duration, transition: Option<Transition>) -> Admission {
        self.totals.refused += 1;
        Admission { decision: Decision::Refused { retry_after }, transition }
    }

    /// Takes a permit back, with how its call ended. `random` is from 0 to 1, for the jitter of the open time.
    #[allow(clippy::needless_pass_by_value, reason = "taken back, so that no permit ends two calls")]
    pub fn finish(&mut self, permit: Permit, outcome: Outcome, now: Instant, random: f64) -> Option<Transition> {
        let took = now.saturating_duration_since(permit.started);
        let judged = matches!(outcome, Outcome::Success | Outcome::Failure);
        let slow = judged && self.policy.is_slow(took);
        match outcome {
            Outcome::Success => self.totals.succeeded += 1,
            Outcome::Failure => self.totals.failed += 1,
            Outcome::Ignored => self.totals.ignored += 1,
            Outcome::Cancelled => self.totals.cancelled += 1,
        }
        self.totals.slow += u64::from(slow);
        if permit.generation != self.generation || matches!(self.mode, Mode::Disabled) {
            return None;
        }
        let failed = outcome == Outcome::Failure;
        match &mut self.place {
            Place::Closed(recent) => {
                if !judged {
                    return None;
                }
                recent.add(Sample { failed, slow }, now);
                let cause = (self.mode != Mode::MetricsOnly).then(|| recent.verdict(&self.policy)).flatten()?;
                Some(self.open(cause, now, random))
            }
            Place::HalfOpen { leases, succeeded } => {
                let held = leases.iter().position(|lease| Some(lease.id) == permit.probe)?;
                leases.swap_remove(held);
                if !judged {
                    return None;
                }
                if failed || slow {
                    return Some(self.open(Cause::ProbeFailed, now, random));
                }
                *succeeded += 1;
                let enough = *succeeded >= self.policy.probes.get();
                enough.then(|| self.close(Cause::ProbesSucceeded))
            }
            // Nothing is admitted while open, and what was admitted before is of an earlier generation.
            Place::Open { .. } => None,
        }
    }

    /// Closed, and without a history but for the totals. Returns what that changed.
    pub fn reset(&mut self) -> Option<Transition> {
        let changed = self.state() != State::Closed;
        let transition = self.close(Cause::Reset);
        changed.then_some(transition)
    }

    /// What can be told at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let (calls, failures, slow) = match &self.place {
            Place::Closed(recent) => recent.counts(now),
            Place::Open { .. } | Place::HalfOpen { .. } => (0, 0, 0),
        };
        let probes = match &self.place {
            Place::HalfOpen { leases, .. } => leases.iter().filter(|lease| now < lease.until).count(),
            Place::Closed(_) | Place::Open { .. } => 0,
        };
        let retry_after = self.refuses_until().map(|until| until.saturating_duration_since(now));
        Snapshot {
            state: self.state(),
            mode: self.mode,
            calls,
            failures,
            slow,
            probes: u32::try_from(probes).unwrap_or(u32::MAX),
            retry_after: retry_after.filter(|after| !after.is_zero()),
            opened: self.opened,
            totals: self.totals,
        }
    }

    fn open(&mut self, cause: Cause, now: Instant, random: f64) -> Transition {
        let OpenTime { time, jitter } = self.policy.open;
        let wait = time.wait(self.in_a_row);
        let open_for = wait + part(wait, jitter.fraction() * random.clamp(0.0, 1.0));
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.opened += 1;
        self.go(Place::Open { until: now + open_for }, cause, Some(open_for))
    }

    fn close(&mut self, cause: Cause) -> Transition {
        self.in_a_row = 0;
        let recent = Recent::of(&self.policy);
        self.go(Place::Closed(recent), cause, None)
    }

    /// The one place where the state changes.
    fn go(&mut self, place: Place, cause: Cause, open_for: Option<Duration>) -> Transition {
        let from = self.state();
        self.place = place;
        self.generation += 1;
        Transition { from, to: self.state(), cause, open_for }
    }
}

#[cfg(test)]
mod tests;
