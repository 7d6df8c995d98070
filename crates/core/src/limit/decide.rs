//! One client and its allowance.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Rate;

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Algorithm {
    /// Spread evenly behind a burst.
    #[default]
    Gcra,
    /// So many from the first one on, until the period is over.
    Window,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    rate: Rate,
    algorithm: Algorithm,
    burst: NonZeroU32,
    /// Between two requests that are spread evenly, in nanoseconds.
    interval: u64,
}

/// Why a [`Limit`] makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    #[error("burst is 0: not one request would be served; use 1 to allow none ahead of its time")]
    ZeroBurst,
    #[error("burst {burst} takes longer than a day to come back at {rate}: use a smaller one")]
    BurstTooLong { burst: u32, rate: Rate },
}

/// What is kept of a client: one number. The default is a client that is not known, which has its whole allowance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State(u64);

impl State {
    /// The state that this number stands for.
    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }

    /// The number that stands for it; 0 for a client that is not known.
    pub(super) fn number(self) -> u64 {
        self.0
    }
}

/// What one request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    pub allowed: bool,
    /// Requests that would be allowed right now, after this one.
    pub remaining: u32,
    /// Until the whole allowance is there again.
    pub reset: Duration,
    /// Until another request may be allowed; nothing where one would be now.
    pub retry_after: Duration,
}

/// The beginning of a window in milliseconds stands above its count.
const COUNT_BITS: u32 = 24;

const DAY: u64 = 86_400 * 1_000_000_000;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Limit {
    /// By [`Algorithm::Gcra`], with a burst of the whole count.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let burst = NonZeroU32::new(rate.count()).unwrap_or(NonZeroU32::MIN);
        // At least one: a second divided among 16 million leaves some 60.
        let interval = nanos(rate.period()) / u64::from(rate.count());
        Self { rate, algorithm: Algorithm::Gcra, burst, interval }
    }

    /// Counts in another way. A [`Algorithm::Window`] has no burst.
    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// How many may come at once, by [`Algorithm::Gcra`].
    ///
    /// # Errors
    ///
    /// [`LimitError`] if it is 0, or takes more than a day to come back.
    pub fn burst(self, burst: u32) -> Result<Self, LimitError> {
        let burst = NonZeroU32::new(burst).ok_or(LimitError::ZeroBurst)?;
        if self.interval.saturating_mul(u64::from(burst.get())) > DAY {
            return Err(LimitError::BurstTooLong { burst: burst.get(), rate: self.rate });
        }
        Ok(Self { burst, ..self })
    }

    /// The rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// How many may come at once.
    #[must_use]
    pub fn most(&self) -> u32 {
        match self.algorithm {
            Algorithm::Gcra => self.burst.get(),
            Algorithm::Window => self.rate.count(),
        }
    }

    /// Decides on one request at `now`, which counts from some beginning and must not run backwards. One that is refused
    /// costs its client nothing.
    pub fn decide(&self, state: &mut State, now: Duration) -> Decision {
        match self.algorithm {
            Algorithm::Gcra => self.gcra(state, nanos(now)),
            Algorithm::Window => self.window(state, now),
        }
    }

    /// Whether a client in this state is as good as one that is not known.
    #[must_use]
    pub fn idle(&self, state: State, now: Duration) -> bool {
        match self.algorithm {
            Algorithm::Gcra => state.0 <= nanos(now),
            Algorithm::Window => self.window_left(state, now).is_none(),
        }
    }

    /// The state is the time at which the last of the allowed requests would have been due, one interval after the other.
    fn gcra(&self, state: &mut State, now: u64) -> Decision {
        let tolerance = self.interval * u64::from(self.burst.get() - 1);
        let due = state.0.max(now);
        let ahead = due - now;
        if ahead > tolerance {
            return Decision {
                allowed: false,
                remaining: 0,
                reset: Duration::from_nanos(ahead),
                retry_after: Duration::from_nanos(ahead - tolerance),
            };
        }
        state.0 = due.saturating_add(self.interval);
        let ahead = ahead + self.interval;
        let remaining = (tolerance + self.interval - ahead) / self.interval;
        Decision {
            allowed: true,
            // At most the burst, which is such a number.
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset: Duration::from_nanos(ahead),
            retry_after: Duration::from_nanos(ahead.saturating_sub(tolerance)),
        }
    }

    /// Until the window of a client is over, and how many it has had; `None` where it has none.
    fn window_left(&self, state: State, now: Duration) -> Option<(Duration, u32)> {
        let (began, count) = (Duration::from_millis(state.0 >> COUNT_BITS), state.0 & ((1 << COUNT_BITS) - 1));
        let left = (began + self.rate.period()).checked_sub(now).filter(|left| !left.is_zero() && count > 0)?;
        Some((left, u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn window(&self, state: &mut State, now: Duration) -> Decision {
        let most = self.rate.count();
        let (left, count) = self.window_left(*state, now).unwrap_or((self.rate.period(), 0));
        let allowed = count < most;
        if allowed {
            let began = if count == 0 {
                u64::try_from(now.as_millis()).unwrap_or(u64::MAX) << COUNT_BITS
            } else {
                state.0 >> COUNT_BITS << COUNT_BITS
            };
            state.0 = began | u64::from(count + 1);
        }
        let remaining = most - count - u32::from(allowed);
        Decision { allowed, remaining, reset: left, retry_after: if remaining == 0 { left } else { Duration::ZERO } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);

    fn limit(rate: &str) -> Limit {
        Limit::new(rate.parse().unwrap())
    }

    #[test]
    fn the_hundred_and_first_within_the_minute_is_refused_by_either_algorithm() {
        for algorithm in [Algorithm::Gcra, Algorithm::Window] {
            let (limit, mut state) = (limit("100/min").algorithm(algorithm), State::default());
            for number in (0..100).rev() {
                let decision = limit.decide(&mut state, SECOND);
                assert_eq!((decision.allowed, decision.remaining), (true, number), "{algorithm:?}");
            }
            assert!(!limit.decide(&mut state, SECOND).allowed, "{algorithm:?}");
        }
    }

    #[test]
    fn whoever_was_refused_may_come_again_when_told() {
        for algorithm in [Algorithm::Gcra, Algorithm::Window] {
            let (limit, mut state) = (limit("3/min").algorithm(algorithm), State::default());
            while limit.decide(&mut state, SECOND).allowed {}
            let wait = limit.decide(&mut state, SECOND).retry_after;
            let early = SECOND + wait.checked_sub(Duration::from_millis(1)).unwrap();
            assert!(!limit.decide(&mut state, early).allowed, "{algorithm:?}");
            assert!(limit.decide(&mut state, SECOND + wait).allowed, "{algorithm:?}");
        }
    }

    #[test]
    fn a_window_is_over_at_once_and_gcra_comes_back_one_by_one() {
        let allowed_after = |algorithm, wait| {
            let (limit, mut state) = (limit("6/min").algorithm(algorithm), State::default());
            while limit.decide(&mut state, SECOND).allowed {}
            (0..10).filter(|_| limit.decide(&mut state, SECOND + wait).allowed).count()
        };
        assert_eq!(allowed_after(Algorithm::Gcra, MINUTE / 2), 3);
        assert_eq!(allowed_after(Algorithm::Window, MINUTE / 2), 0);
        assert_eq!(allowed_after(Algorithm::Window, MINUTE), 6);
    }

    #[test]
    fn a_client_that_waited_is_as_good_as_a_new_one() {
        for algorithm in [Algorithm::Gcra, Algorithm::Window] {
            let (limit, mut state) = (limit("3/min").algorithm(algorithm), State::default());
            let decision = limit.decide(&mut state, SECOND);
            assert!(!limit.idle(state, SECOND), "{algorithm:?}");
            assert!(limit.idle(state, SECOND + decision.reset), "{algorithm:?}");
        }
    }

    #[test]
    fn a_burst_is_what_may_come_at_once() {
        let (limit, mut state) = (limit("10/s").burst(20).unwrap(), State::default());
        assert_eq!((0..30).filter(|_| limit.decide(&mut state, SECOND).allowed).count(), 20);
        assert_eq!(limit.most(), 20);
        assert_eq!(limit.burst(0).unwrap_err(), LimitError::ZeroBurst);
        let refused = self::limit("1/h").burst(25).unwrap_err().to_string();
        assert_eq!(refused, "burst 25 takes longer than a day to come back at 1/3600s: use a smaller one");
    }

    proptest! {
        #[test]
        fn no_window_of_a_period_lets_more_through_than_burst_and_rate_allow(
            count in 1_u32..50, burst in 1_u32..50, gaps in prop::collection::vec(0_u64..3_000, 1..300),
        ) {
            let limit = Limit::new(Rate::new(count, MINUTE).unwrap()).burst(burst).unwrap();
            let (mut state, mut now) = (State::default(), Duration::ZERO);
            let mut allowed = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if limit.decide(&mut state, now).allowed {
                    allowed.push(now);
                }
            }
            for (first, start) in allowed.iter().enumerate() {
                let within = allowed[first..].iter().take_while(|at| **at < *start + MINUTE).count();
                prop_assert!(within <= (count + burst) as usize, "{} within a minute", within);
            }
        }

        #[test]
        fn a_refusal_costs_nothing_and_says_the_truth(
            window: bool, count in 1_u32..20, gaps in prop::collection::vec(0_u64..10_000, 1..100),
        ) {
            let algorithm = if window { Algorithm::Window } else { Algorithm::Gcra };
            let limit = Limit::new(Rate::new(count, MINUTE).unwrap()).algorithm(algorithm);
            let (mut state, mut now) = (State::default(), Duration::ZERO);
            for gap in gaps {
                now += Duration::from_millis(gap);
                let before = state;
                let decision = limit.decide(&mut state, now);
                prop_assert!(decision.remaining < limit.most());
                prop_assert!(decision.retry_after <= decision.reset);
                if !decision.allowed {
                    prop_assert_eq!(state, before);
                    let mut later = state;
                    prop_assert!(limit.decide(&mut later, now + decision.retry_after).allowed);
                }
            }
        }
    }
}
