//! When a dead program comes back, and when to give up.
//!
//! # Rules
//!
//! - The wait before a restart doubles with each death in a row, from `backoff` to `max_backoff`. A random part of it,
//!   at most half, is taken off, so that replicas that died together do not come back together.
//! - `deaths` within `window`, the newest included, and we give up: the platform sees the exit and knows better than we
//!   do whether to move the instance, page somebody, or roll back.
//! - A program that stayed up for `window` starts from the first wait again.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//! use seaworthy_core::event::Ending;
//! use seaworthy_core::restart::{Policy, Restarts, Verdict, When};
//!
//! let mut restarts = Restarts::new(Policy { when: When::OnFailure, ..Policy::default() });
//! let (start, uptime) = (Instant::now(), Duration::from_secs(5));
//! let verdict = restarts.died(start + uptime, uptime, Ending::Exited(1), 0.0);
//! assert_eq!(verdict, Verdict::Restart { after: Duration::from_millis(500), deaths: 1 });
//! assert_eq!(restarts.died(start + uptime, uptime, Ending::Exited(0), 0.0), Verdict::Leave);
//! ```

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::event::Ending;

/// Which endings lead to a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Each that nobody asked for.
    Always,
    /// A signal, or a code other than 0.
    OnFailure,
    Never,
}

/// How long to wait, and how much to put up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub when: When,
    /// Before the first restart. Default: 500 ms.
    pub backoff: Duration,
    /// The longest wait. Default: 10 s.
    pub max_backoff: Duration,
    /// This many deaths within `window` and we give up. Default: 3.
    pub deaths: NonZeroU32,
    /// Default: 60 s.
    pub window: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            when: When::Always,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(10),
            deaths: NonZeroU32::MIN.saturating_add(2),
            window: Duration::from_mins(1),
        }
    }
}

/// What a death leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Start it again, `after` a pause; so many `deaths` fell within the window.
    Restart { after: Duration, deaths: u32 },
    /// Exit with the program's code: this ending leads to no restart.
    Leave,
    /// Exit with the program's code: it died too often.
    GiveUp { deaths: u32 },
}

/// Remembers the deaths of one program: never more than `deaths` of them.
#[derive(Debug, Clone)]
pub struct Restarts {
    policy: Policy,
    recent: VecDeque<Instant>,
    in_a_row: u32,
}

impl Restarts {
    pub fn new(policy: Policy) -> Self {
        Self { policy, recent: VecDeque::new(), in_a_row: 0 }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Takes a death at `now` of a program that ran for `uptime`. `random` is from 0 to 1; what is outside is taken as
    /// the nearer end.
    pub fn died(&mut self, now: Instant, uptime: Duration, ending: Ending, random: f64) -> Verdict {
        match self.policy.when {
            When::Never => return Verdict::Leave,
            When::OnFailure if ending.success() => return Verdict::Leave,
            When::OnFailure | When::Always => {}
        }
        if uptime >= self.policy.window {
            self.in_a_row = 0;
        }
        let window = self.policy.window;
        self.recent.retain(|&at| now.saturating_duration_since(at) < window);
        self.recent.push_back(now);
        let deaths = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        if deaths >= self.policy.deaths.get() {
            return Verdict::GiveUp { deaths };
        }
        let after = self.wait(random);
        self.in_a_row = self.in_a_row.saturating_add(1);
        Verdict::Restart { after, deaths }
    }

    /// Half of the wait is certain: without jitter many come back at once, with nothing but jitter some come back at once.
    fn wait(&self, random: f64) -> Duration {
        let Policy { backoff, max_backoff, .. } = self.policy;
        let longest = max_backoff.max(backoff);
        let doubled = 2_u32.checked_pow(self.in_a_row).and_then(|factor| backoff.checked_mul(factor));
        let wait = doubled.unwrap_or(longest).min(longest);
        let off = if random.is_finite() { random.clamp(0.0, 1.0) / 2.0 } else { 0.0 };
        wait.saturating_sub(wait.mul_f64(off))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAILED: Ending = Ending::Exited(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn restarts(when: When, deaths: u32) -> Restarts {
        Restarts::new(Policy { when, deaths: NonZeroU32::new(deaths).unwrap(), ..Policy::default() })
    }

    fn wait(verdict: Verdict) -> Duration {
        match verdict {
            Verdict::Restart { after, .. } => after,
            other => panic!("a restart, not {other:?}"),
        }
    }

    #[test]
    fn the_third_death_within_a_minute_is_the_last() {
        let (mut restarts, start) = (restarts(When::Always, 3), Instant::now());
        for second in [0, 59] {
            let _ = wait(restarts.died(start + second * SECOND, SECOND, FAILED, 0.5));
        }
        assert_eq!(restarts.died(start + 59 * SECOND, SECOND, FAILED, 0.5), Verdict::GiveUp { deaths: 3 });
    }

    #[test]
    fn deaths_spread_wider_than_the_window_never_add_up() {
        let (mut restarts, start) = (restarts(When::Always, 3), Instant::now());
        for death in 0..50 {
            let _ = wait(restarts.died(start + death * 31 * SECOND, 30 * SECOND, FAILED, 0.0));
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_stable_time() {
        let (mut restarts, start) = (restarts(When::Always, 100), Instant::now());
        let waits: Vec<_> = (0..7).map(|_| wait(restarts.died(start, SECOND, FAILED, 0.0)).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        let stable = restarts.died(start + 70 * SECOND, 60 * SECOND, FAILED, 0.0);
        assert_eq!(wait(stable), SECOND / 2);
    }

    #[test]
    fn a_clean_exit_is_final_on_failure_and_any_exit_is_with_never() {
        let now = Instant::now();
        assert_eq!(restarts(When::OnFailure, 3).died(now, SECOND, Ending::Exited(0), 0.0), Verdict::Leave);
        assert!(matches!(
            restarts(When::OnFailure, 3).died(now, SECOND, Ending::Signalled(9), 0.0),
            Verdict::Restart { .. }
        ));
        assert_eq!(restarts(When::Never, 3).died(now, SECOND, FAILED, 0.0), Verdict::Leave);
    }

    proptest! {
        #[test]
        fn a_wait_is_between_half_and_all_of_the_longest(
            deaths in 0_u32..200, backoff in 1_u64..5_000, longest in 1_u64..100_000, random in any::<f64>(),
        ) {
            let (backoff, max_backoff) = (Duration::from_millis(backoff), Duration::from_millis(longest));
            let policy = Policy { backoff, max_backoff, deaths: NonZeroU32::MAX, ..Policy::default() };
            let (mut restarts, start) = (Restarts::new(policy), Instant::now());
            let mut last = Duration::ZERO;
            for _ in 0..=deaths {
                last = wait(restarts.died(start, SECOND, FAILED, random));
            }
            let bound = max_backoff.max(backoff);
            prop_assert!(last <= bound);
            // A fraction of a nanosecond may be rounded away.
            prop_assert!(last + Duration::from_nanos(1) >= backoff / 2);
        }

        #[test]
        fn no_window_ever_holds_more_deaths_than_are_put_up_with(
            gaps in prop::collection::vec(0_u32..90, 1..60), most in 1_u32..6,
        ) {
            let (mut restarts, mut now) = (restarts(When::Always, most), Instant::now());
            let mut survived: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += gap * SECOND;
                let verdict = restarts.died(now, gap * SECOND, FAILED, 0.3);
                let within = survived.iter().filter(|&&at| now - at < 60 * SECOND).count() + 1;
                if within >= usize::try_from(most).unwrap() {
                    prop_assert!(matches!(verdict, Verdict::GiveUp { .. }), "{within} deaths: {verdict:?}");
                    break;
                }
                prop_assert!(matches!(verdict, Verdict::Restart { .. }), "{within} deaths: {verdict:?}");
                survived.push(now);
            }
        }
    }
}
