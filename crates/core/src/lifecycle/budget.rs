//! How the time between the platform's signal and its SIGKILL is divided.
//!
//! `grace` is what the platform allows. It has to hold the delay (the balancer looks away), the timeout (requests in
//! flight end), a reserve for the program's own stop, and a second to flush. Parts that exceed it would be cut by
//! SIGKILL at the worst moment, so they are refused when the config is loaded, with the sum shown.
//!
//! ```
//! use std::time::Duration;
//! use seaworthy_core::lifecycle::{Budget, Parts};
//!
//! let budget = Budget::new(Duration::from_secs(30), Parts { delay: Duration::from_secs(5), timeout: None, reserve: None })?;
//! assert_eq!(budget.reserve(), Duration::from_secs(10));
//! assert_eq!(budget.timeout(), Duration::from_secs(14));
//! # Ok::<(), seaworthy_core::lifecycle::BudgetError>(())
//! ```

use std::time::Duration;

/// What is kept for the last logs, spans and alerts.
pub const FLUSH: Duration = Duration::from_secs(1);

/// The parts of a drain as somebody stated them; what is not stated is worked out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// The listener stays open for this long.
    pub delay: Duration,
    /// Requests in flight may take this long after it. Default: what is left.
    pub timeout: Option<Duration>,
    /// The program may take at least this long to stop. Default: a third of the grace.
    pub reserve: Option<Duration>,
}

/// A drain that fits into its grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    grace: Duration,
    delay: Duration,
    timeout: Duration,
    reserve: Duration,
}

/// Why the parts make no [`Budget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    #[error(
        "the drain needs {needed:?} but the platform kills after {grace:?}: delay {delay:?} + timeout {timeout:?} + \
         reserve for the program {reserve:?} + flush {FLUSH:?}; raise the grace (and the platform's) or shorten a part"
    )]
    Exceeds { grace: Duration, needed: Duration, delay: Duration, timeout: Duration, reserve: Duration },
}

impl Budget {
    /// # Errors
    ///
    /// [`BudgetError`] if the parts and the flush are longer than `grace`.
    pub fn new(grace: Duration, parts: Parts) -> Result<Self, BudgetError> {
        let Parts { delay, timeout, reserve } = parts;
        let reserve = reserve.unwrap_or(grace / 3);
        let fixed = delay.saturating_add(reserve).saturating_add(FLUSH);
        let timeout = timeout.unwrap_or_else(|| grace.saturating_sub(fixed));
        let needed = fixed.saturating_add(timeout);
        if needed > grace {
            return Err(BudgetError::Exceeds { grace, needed, delay, timeout, reserve });
        }
        Ok(Self { grace, delay, timeout, reserve })
    }

    /// From the signal to the platform's SIGKILL.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// How long the listener stays open after readiness was withdrawn.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// How long requests in flight may take after the listener closed.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What the program has for its own stop at least.
    #[must_use]
    pub fn reserve(&self) -> Duration {
        self.reserve
    }

    /// What is left for the program when `elapsed` has passed since the signal: all but the flush, so that a drain
    /// that was quick leaves it more than the reserve.
    #[must_use]
    pub fn left_for_program(&self, elapsed: Duration) -> Duration {
        self.grace.saturating_sub(elapsed).saturating_sub(FLUSH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn parts_that_exceed_the_grace_are_refused_with_the_sum() {
        let parts = Parts { delay: seconds(5), timeout: Some(seconds(30)), reserve: Some(seconds(10)) };
        let refused = Budget::new(seconds(30), parts).unwrap_err().to_string();
        assert!(refused.contains("needs 46s but the platform kills after 30s"), "{refused}");
        assert!(refused.contains("delay 5s + timeout 30s + reserve for the program 10s + flush 1s"), "{refused}");
    }

    #[test]
    fn a_grace_that_holds_only_the_fixed_parts_leaves_no_time_for_requests() {
        let budget = Budget::new(seconds(3), Parts { delay: seconds(1), timeout: None, reserve: Some(seconds(1)) });
        assert_eq!(budget.map(|budget| budget.timeout()), Ok(Duration::ZERO));
    }

    #[test]
    fn a_quick_drain_gives_its_rest_to_the_program() {
        let budget = Budget::new(seconds(30), Parts { delay: seconds(5), ..Parts::default() }).expect("fits");
        assert_eq!(budget.left_for_program(seconds(6)), seconds(23));
        assert_eq!(budget.left_for_program(seconds(40)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_budget_never_exceeds_its_grace(grace in 0u64..1000, delay in 0u64..1000, timeout in proptest::option::of(0u64..1000), reserve in proptest::option::of(0u64..1000)) {
            let parts = Parts { delay: seconds(delay), timeout: timeout.map(seconds), reserve: reserve.map(seconds) };
            if let Ok(budget) = Budget::new(seconds(grace), parts) {
                prop_assert!(budget.delay() + budget.timeout() + budget.reserve() + FLUSH <= budget.grace());
            }
        }
    }
}
