//! When a check is next due.
//!
//! # Rules
//!
//! - A check runs once an interval, counted from the beginning of its last run, and never twice at once: one that takes
//!   longer than its interval begins again when it ends.
//! - Up to a tenth is taken off each interval, at random: replicas that started together do not ask together for ever. It
//!   is only taken off, so that an outage is seen within the interval at the latest.
//! - A result that decides nothing by itself is repeated after [`SOON`].
//! - Runs begin on a [grid](together) of [`GRID`], so that one waking of the processor serves several checks.
//! - At the start checks begin one after another, [`STEP`] apart: a thousand of them are no burst.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use seaworthy_core::schedule::Schedule;
//!
//! let schedule = Schedule::new(Duration::from_secs(30));
//! let began = Instant::now();
//! let ended = began + Duration::from_secs(2);
//! assert_eq!(schedule.next(began, ended, false, 0.0), began + Duration::from_secs(30));
//! assert_eq!(schedule.next(began, ended, true, 0.0), ended + Duration::from_secs(1));
//! ```

use std::time::{Duration, Instant};

/// After how long a result that decides nothing is repeated.
pub const SOON: Duration = Duration::from_secs(1);

/// Between the first runs of two checks.
pub const STEP: Duration = Duration::from_millis(1);

/// Between two moments at which runs begin.
pub const GRID: Duration = Duration::from_millis(10);

/// How much of an interval may be taken off.
const JITTER: f64 = 0.1;

/// When one check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
}

impl Schedule {
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval }
    }

    /// How long the first run of the check with this number waits.
    #[must_use]
    pub fn first(&self, number: usize) -> Duration {
        let steps = u32::try_from(number).unwrap_or(u32::MAX);
        STEP.saturating_mul(steps).min(self.interval)
    }

    /// When to run next, after a run from `began` to `now`. `random` is from 0 to 1; what is outside is taken as the nearer
    /// end.
    #[must_use]
    pub fn next(&self, began: Instant, now: Instant, soon: bool, random: f64) -> Instant {
        if soon {
            return now + SOON.min(self.interval);
        }
        let off = if random.is_finite() { random.clamp(0.0, 1.0) * JITTER } else { 0.0 };
        (began + self.interval.mul_f64(1.0 - off)).max(now)
    }
}

/// The last moment of the grid since `epoch` that is not after `due`. What is due before the epoch stays as it is.
#[must_use]
pub fn together(due: Instant, epoch: Instant) -> Instant {
    let nanos = due.saturating_duration_since(epoch).as_nanos() % GRID.as_nanos();
    let over = u64::try_from(nanos).map_or(Duration::ZERO, Duration::from_nanos);
    due.checked_sub(over).unwrap_or(due)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_run_that_outlasts_its_interval_is_followed_at_once_by_the_next() {
        let (schedule, began) = (Schedule::new(SECOND), Instant::now());
        assert_eq!(schedule.next(began, began + 5 * SECOND, false, 0.5), began + 5 * SECOND);
    }

    #[test]
    fn a_repeat_never_waits_longer_than_the_interval() {
        let (schedule, now) = (Schedule::new(SECOND / 10), Instant::now());
        assert_eq!(schedule.next(now, now, true, 0.0), now + SECOND / 10);
    }

    #[test]
    fn many_checks_begin_one_after_another_within_their_interval() {
        let schedule = Schedule::new(SECOND);
        assert_eq!(
            [0, 1, 999, usize::MAX].map(|number| schedule.first(number)),
            [0, 1, 999, 1000].map(Duration::from_millis)
        );
    }

    #[test]
    fn runs_that_are_due_within_a_moment_of_the_grid_begin_together() {
        let epoch = Instant::now();
        let at = |millis| epoch + Duration::from_millis(millis);
        assert_eq!([20, 21, 29].map(|millis| together(at(millis), epoch)), [at(20); 3]);
        assert_eq!(together(at(30), epoch), at(30));
        assert_eq!(together(epoch, at(5)), epoch);
    }

    proptest! {
        #[test]
        fn the_next_run_lies_within_the_interval_and_never_in_the_past(
            interval in 1_u64..10_000, took in 0_u64..20_000, soon: bool, random in any::<f64>(),
        ) {
            let (interval, took) = (Duration::from_millis(interval), Duration::from_millis(took));
            let (schedule, began) = (Schedule::new(interval), Instant::now());
            let now = began + took;
            let next = schedule.next(began, now, soon, random);
            prop_assert!(next >= now);
            prop_assert!(next <= now.max(began) + interval);
            if !soon && took < interval.mul_f64(0.9) {
                prop_assert!(next >= began + interval.mul_f64(0.9 - 1e-9));
                prop_assert!(next <= began + interval);
            }
        }
    }
}
