//! How many calls run at once, how many wait for a place, and who is turned away.
//!
//! A service that hangs takes every thread, connection and buffer of those who call it, unless somebody counts. Past the
//! queue a call is refused at once: its caller can do something better than to wait.
//!
//! ```
//! use std::num::NonZeroU32;
//! use seaworthy_core::bulkhead::{Decision, Occupancy, Policy};
//!
//! let policy = Policy { concurrency: NonZeroU32::MIN, queue: 1, ..Policy::default() };
//! assert_eq!(policy.decide(Occupancy { running: 0, waiting: 0 }), Decision::Run);
//! assert_eq!(policy.decide(Occupancy { running: 1, waiting: 0 }), Decision::Wait);
//! assert_eq!(policy.decide(Occupancy { running: 1, waiting: 1 }), Decision::Refuse);
//! ```

use std::num::NonZeroU32;
use std::time::Duration;

/// How many at once, and how many in waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Default: 100.
    pub concurrency: NonZeroU32,
    /// Default: 100. 0 refuses at once what finds no place.
    pub queue: u32,
    /// How long a call waits at most. Default: 1 s.
    pub patience: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { concurrency: NonZeroU32::MIN.saturating_add(99), queue: 100, patience: Duration::from_secs(1) }
    }
}

/// Who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Occupancy {
    pub running: u32,
    pub waiting: u32,
}

/// What becomes of one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    Run,
    Wait,
    Refuse,
}

impl Policy {
    /// Whoever waits goes first: one that comes while others wait waits behind them.
    pub fn decide(&self, occupancy: Occupancy) -> Decision {
        let Occupancy { running, waiting } = occupancy;
        if running < self.concurrency.get() && waiting == 0 {
            Decision::Run
        } else if waiting < self.queue {
            Decision::Wait
        } else {
            Decision::Refuse
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn neither_place_nor_queue_is_ever_overfull(
            concurrency in 1_u32..5, queue in 0_u32..5, arrivals in prop::collection::vec(any::<bool>(), 1..100),
        ) {
            let policy = Policy { concurrency: NonZeroU32::new(concurrency).unwrap(), queue, ..Policy::default() };
            let mut now = Occupancy::default();
            for arrives in arrivals {
                if arrives {
                    match policy.decide(now) {
                        Decision::Run => now.running += 1,
                        Decision::Wait => now.waiting += 1,
                        Decision::Refuse => prop_assert!(now.running == concurrency && now.waiting == queue),
                    }
                } else if now.running > 0 {
                    // The place goes to whoever waits.
                    if now.waiting > 0 { now.waiting -= 1 } else { now.running -= 1 }
                }
                prop_assert!(now.running <= concurrency && now.waiting <= queue, "{now:?}");
            }
        }
    }
}
