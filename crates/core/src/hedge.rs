//! When a second attempt is begun beside one that is slow: the answer that comes first is the answer.
//!
//! # Rules
//!
//! - A call has one attempt in flight, and for a while two: never more.
//! - The second begins after a fixed delay, or when the first takes longer than calls used to take, or after the sooner of both
//!   ([`After`]). Where too little is known yet to say how long that is, none is begun but by the delay.
//! - It is drawn on the [`Budget`](crate::retry::Budget) that retries draw on, so that both together stay a part of all calls: where
//!   everything is slow, second attempts would only multiply the load.
//! - Only what may be made twice at the same time is ([`Methods`]).
//!
//! # In production
//!
//! It cuts the tail that one slow machine of many makes, for a few percent more calls; where all of them are slow it helps nobody. With
//! the percentile 95 one call in twenty has a second attempt. What is beyond the percentile is known to an eighth of its value.
//!
//! Source: J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56 (2), 2013; gRPC proposal A6, "Hedging policy".
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//! use seaworthy_core::hedge::{After, Hedge, Percentile, Policy};
//!
//! let after = After::Percentile { percentile: Percentile::new(95.0)?, samples: 20 };
//! let (mut hedge, now) = (Hedge::new(Policy { after, ..Policy::default() }), Instant::now());
//! assert_eq!(hedge.delay(now), None, "nothing is known yet");
//! for took in 1..=100 {
//!     hedge.answered(Duration::from_millis(took), now);
//! }
//! // It is worked out ten times a second at most.
//! let delay = hedge.delay(now + Duration::from_secs(1)).expect("a hundred are enough");
//! assert!(delay >= Duration::from_millis(95) && delay < Duration::from_millis(107), "{delay:?}");
//! # Ok::<(), seaworthy_core::hedge::PercentileError>(())
//! ```

mod latencies;

use std::time::{Duration, Instant};

use self::latencies::Latencies;

/// A percentile is worked out anew no more often: a call asks for it, and sorting what was seen is not free.
const REFRESH: Duration = Duration::from_millis(100);

/// Of which calls of a hundred the slowest is, as 95 or 99.9.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percentile(f64);

/// What is between 0 and 100 is a number.
impl Eq for Percentile {}

/// A number that is no [`Percentile`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is no percentile: use a number above 0 and below 100, such as 95")]
pub struct PercentileError(f64);

impl Percentile {
    /// # Errors
    ///
    /// [`PercentileError`] if it is not above 0 and below 100.
    pub fn new(percentile: f64) -> Result<Self, PercentileError> {
        if percentile > 0.0 && percentile < 100.0 { Ok(Self(percentile)) } else { Err(PercentileError(percentile)) }
    }

    /// As a part of one.
    fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

/// 95: one call in twenty.
impl Default for Percentile {
    fn default() -> Self {
        Self(95.0)
    }
}

/// After which time the first attempt counts as slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Always the same. For services that are called too seldom to know what is usual.
    Delay(Duration),
    /// What so many of the calls of the last half to one minute took at most.
    Percentile {
        percentile: Percentile,
        /// Fewer answers say nothing: no second attempt is begun.
        samples: u32,
    },
    /// Whichever is sooner. Until there are enough answers that is the delay, and where all calls get slow it still is.
    Either { delay: Duration, percentile: Percentile, samples: u32 },
}

/// The percentile 95 of 20 answers at least.
impl Default for After {
    fn default() -> Self {
        Self::Percentile { percentile: Percentile::default(), samples: 20 }
    }
}

/// Which requests may be made twice at the same time. None by its `Idempotency-Key`: a service may refuse the second while the first is
/// under way (draft-ietf-httpapi-idempotency-key-header, 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Methods {
    /// What changes nothing: GET, HEAD, OPTIONS, TRACE (RFC 9110, 9.2.1).
    #[default]
    Safe,
    /// PUT and DELETE as well (RFC 9110, 9.2.2). Of two that run at once the later one can undo what somebody else did in between, and
    /// the second DELETE may find nothing and say 404.
    Idempotent,
}

impl Methods {
    /// Whether `method` is one of them.
    #[must_use]
    pub fn contain(self, method: &str) -> bool {
        match method {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" => true,
            "PUT" | "DELETE" => self == Self::Idempotent,
            _ => false,
        }
    }
}

/// When a second attempt is begun, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Default: the percentile 95, of 20 answers at least.
    pub after: After,
    /// Default: [`Methods::Safe`].
    pub methods: Methods,
}

/// How long calls to one service take, and when they count as slow. Bounded: two tables of 240 numbers.
#[derive(Debug, Clone)]
pub struct Hedge {
    policy: Policy,
    seen: Latencies,
    /// What was worked out last, and when.
    known: Option<(Instant, Option<Duration>)>,
}

impl Hedge {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, seen: Latencies::default(), known: None }
    }

    /// When, from its beginning, a call that begins at `now` gets a second attempt; `None` where it gets none.
    pub fn delay(&mut self, now: Instant) -> Option<Duration> {
        match self.policy.after {
            After::Delay(delay) => Some(delay),
            After::Percentile { percentile, samples } => self.usual(percentile, samples, now),
            After::Either { delay, percentile, samples } => {
                Some(self.usual(percentile, samples, now).map_or(delay, |usual| usual.min(delay)))
            }
        }
    }

    /// How long calls take at most, but for the slowest ones; `None` where too few were answered.
    fn usual(&mut self, percentile: Percentile, samples: u32, now: Instant) -> Option<Duration> {
        if let Some((at, usual)) = self.known
            && now.saturating_duration_since(at) < REFRESH
        {
            return usual;
        }
        let usual = self.seen.percentile(percentile.fraction(), samples.max(1), now);
        self.known = Some((now, usual));
        usual
    }

    /// A call was answered, `took` after its beginning. Only answers that are no failures say what is usual.
    pub fn answered(&mut self, took: Duration, now: Instant) {
        match self.policy.after {
            After::Delay(_) => {}
            After::Percentile { .. } | After::Either { .. } => self.seen.add(took, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_fixed_delay_needs_to_know_nothing() {
        let policy = Policy { after: After::Delay(7 * MILLISECOND), ..Policy::default() };
        assert_eq!(Hedge::new(policy).delay(Instant::now()), Some(7 * MILLISECOND));
    }

    #[test]
    fn a_percentile_is_known_from_so_many_answers_on_and_forgotten_when_nothing_is_called() {
        let (mut hedge, now) = (Hedge::new(Policy::default()), Instant::now());
        for _ in 0..19 {
            hedge.answered(MILLISECOND, now);
        }
        assert_eq!(hedge.delay(now), None);
        hedge.answered(MILLISECOND, now);
        assert_eq!(hedge.delay(now), None, "it is worked out ten times a second at most");
        assert!(hedge.delay(now + REFRESH).is_some());
        assert_eq!(hedge.delay(now + Duration::from_secs(61)), None);
    }

    #[test]
    fn of_a_percentile_and_a_delay_the_sooner_one_counts() {
        let after = After::Either { delay: 50 * MILLISECOND, percentile: Percentile::default(), samples: 20 };
        let (mut hedge, now) = (Hedge::new(Policy { after, ..Policy::default() }), Instant::now());
        assert_eq!(hedge.delay(now), Some(50 * MILLISECOND), "nothing is known yet");
        for _ in 0..20 {
            hedge.answered(8 * MILLISECOND, now);
        }
        let usual = hedge.delay(now + REFRESH).expect("there is always a delay");
        assert!(usual >= 8 * MILLISECOND && usual <= 9 * MILLISECOND, "{usual:?}");
        for _ in 0..200 {
            hedge.answered(Duration::from_secs(2), now + REFRESH);
        }
        assert_eq!(hedge.delay(now + 2 * REFRESH), Some(50 * MILLISECOND), "all calls got slow");
    }

    #[test]
    fn what_may_not_be_made_twice_at_once_is_not() {
        let methods = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "CONNECT", "get"];
        let of = |which: Methods| methods.into_iter().filter(|method| which.contain(method)).collect::<Vec<_>>();
        assert_eq!(of(Methods::Safe), methods[..4]);
        assert_eq!(of(Methods::Idempotent), methods[..6]);
    }

    #[test]
    fn what_is_no_percentile_is_refused() {
        for bad in [0.0, -1.0, 100.0, f64::NAN, f64::INFINITY] {
            assert!(Percentile::new(bad).is_err(), "{bad}");
        }
        let refused = Percentile::new(100.0).unwrap_err().to_string();
        assert_eq!(refused, "100 is no percentile: use a number above 0 and below 100, such as 95");
    }
}
