//! How long to wait before something is tried again: longer each time, up to a bound, and never all at once.
//!
//! # Rules
//!
//! - The wait before try `n` (counted from 0) is `first × factorⁿ`, at most `longest`.
//! - With full jitter any part of it is waited, so that clients that failed together come back spread out; see
//!   <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
//!
//! ```
//! use std::time::Duration;
//! use seaworthy_core::backoff::Backoff;
//!
//! let backoff = Backoff::default();
//! let waits: Vec<_> = (0..5).map(|n| backoff.wait(n).as_secs()).collect();
//! assert_eq!(waits, [1, 2, 4, 8, 10]);
//! assert_eq!(backoff.full_jitter(1, 0.25), Duration::from_millis(500));
//! ```

use std::time::Duration;

/// A wait that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait before the first repetition. Default: 1 s.
    pub first: Duration,
    /// What the next wait is multiplied by. 1 keeps it as it is. Default: 2.
    pub factor: u32,
    /// The longest wait; a shorter one than `first` holds for the first, too. Default: 10 s.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), factor: 2, longest: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// The wait before repetition `n`, the first being 0.
    #[must_use]
    pub fn wait(&self, n: u32) -> Duration {
        let factor = self.factor.max(1).checked_pow(n);
        factor.and_then(|factor| self.first.checked_mul(factor)).unwrap_or(self.longest).min(self.longest)
    }

    /// A part of [`Backoff::wait`]. `random` is from 0 to 1; what is outside is taken as the nearer end.
    #[must_use]
    pub fn full_jitter(&self, n: u32, random: f64) -> Duration {
        part(self.wait(n), random)
    }
}

/// So much of `whole`, whatever `random` is: NaN is nothing of it.
#[must_use]
pub fn part(whole: Duration, random: f64) -> Duration {
    let random = if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) };
    // Rounding must not make it longer.
    whole.mul_f64(random).min(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wait_that_no_number_holds_is_the_longest() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(u32::MAX), backoff.longest);
    }

    proptest! {
        #[test]
        fn waits_never_shrink_and_no_jitter_makes_one_longer(
            first in 0_u64..100_000, factor in 0_u32..10, longest in 0_u64..1_000_000, n in 0_u32..100, random in any::<f64>(),
        ) {
            let (first, longest) = (Duration::from_millis(first), Duration::from_millis(longest));
            let backoff = Backoff { first, factor, longest };
            prop_assert!(backoff.wait(n) <= backoff.wait(n + 1));
            prop_assert!(backoff.wait(n) <= longest);
            prop_assert!(backoff.full_jitter(n, random) <= backoff.wait(n));
        }
    }
}
