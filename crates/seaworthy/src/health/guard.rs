//! Readiness that somebody holds: for what no check can ask.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::health::{Class, Outcome, Policy};

use super::Health;
use super::board::Seat;

/// Withholds readiness until it says otherwise; made by [`Health::guard`].
///
/// **It fails closed**: dropped without [`release`](ReadinessGuard::release), because a task ended or panicked, the service is not ready any
/// more, and its check says why.
///
/// ```
/// use seaworthy::core::lifecycle::State;
/// use seaworthy::health::Health;
///
/// let health = Health::default();
/// let consumer = health.guard("consumer")?;
/// assert!(!health.snapshot().ready(State::Ready));
/// consumer.ready();
/// assert!(health.snapshot().ready(State::Ready));
/// drop(consumer);
/// assert!(!health.snapshot().ready(State::Ready));
/// # Ok::<(), seaworthy::health::CheckProblem>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it withholds readiness for good"]
pub struct ReadinessGuard {
    health: Health,
    seat: Arc<Seat>,
    released: bool,
}

impl ReadinessGuard {
    pub(super) fn new(health: Health, seat: Arc<Seat>) -> Self {
        Self { health, seat, released: false }
    }

    /// Does not withhold readiness any more.
    pub fn ready(&self) {
        self.health.tell(&self.seat, Outcome::Passed { warning: None });
    }

    /// Withholds it again. `reason` is for whoever may see details.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.health.tell(&self.seat, Outcome::Failed { class: Class::Condition, error: reason.into() });
    }

    /// Ends its part in readiness, as it stands: whatever it said last is said for good.
    pub fn release(mut self) {
        self.released = true;
    }
}

impl Drop for ReadinessGuard {
    fn drop(&mut self) {
        if !self.released {
            self.not_ready("its guard was dropped without a word");
        }
    }
}

/// What is told is believed at once, and for as long as nothing else is told.
pub(super) fn policy() -> Policy {
    Policy { failure_threshold: NonZeroU32::MIN, stale_after: Duration::MAX, ..Policy::default() }
}
