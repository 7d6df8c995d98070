//! How many of all calls may be repetitions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Calls are remembered for so many slots.
const SLOTS: u32 = 10;
const SLOT: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(10);

/// How many of all calls may be repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetPolicy {
    /// Of a hundred calls. Default: 20.
    pub percent: u32,
    /// And so many a second whatever the number of calls, or a service that is rarely called could never be called again.
    /// Default: 3.
    pub at_least: u32,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self { percent: 20, at_least: 3 }
    }
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    began: Instant,
    calls: u32,
    repeated: u32,
}

/// Counts calls and repetitions over ten seconds, in ten numbers. Retries and hedges draw on the same one.
#[derive(Debug, Clone)]
pub struct Budget {
    policy: BudgetPolicy,
    slots: VecDeque<Slot>,
}

impl Budget {
    #[must_use]
    pub fn new(policy: BudgetPolicy) -> Self {
        Self { policy, slots: VecDeque::new() }
    }

    /// A call that is none of the repetitions.
    pub fn deposit(&mut self, now: Instant) {
        let slot = self.slot(now);
        slot.calls = slot.calls.saturating_add(1);
    }

    /// Whether one more repetition fits, which is then taken.
    pub fn withdraw(&mut self, now: Instant) -> bool {
        // Asked first, since it forgets what is too old.
        self.slot(now);
        let (calls, repeated) = self.slots.iter().fold((0_u64, 0_u64), |(calls, repeated), slot| {
            (calls + u64::from(slot.calls), repeated + u64::from(slot.repeated))
        });
        let BudgetPolicy { percent, at_least } = self.policy;
        let allowed = calls * u64::from(percent) / 100 + u64::from(at_least) * u64::from(SLOTS);
        if repeated >= allowed {
            return false;
        }
        let slot = self.slot(now);
        slot.repeated = slot.repeated.saturating_add(1);
        true
    }

    fn slot(&mut self, now: Instant) -> &mut Slot {
        self.slots.retain(|slot| now.saturating_duration_since(slot.began) < WINDOW);
        let current = self.slots.back().is_some_and(|slot| now.saturating_duration_since(slot.began) < SLOT);
        if !current {
            self.slots.push_back(Slot { began: now, calls: 0, repeated: 0 });
        }
        self.slots.back_mut().expect("one was pushed where there was none")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn withdrawn(budget: &mut Budget, tries: u32, now: Instant) -> u32 {
        (0..tries).map(|_| u32::from(budget.withdraw(now))).sum()
    }

    #[test]
    fn a_fifth_of_all_calls_and_three_a_second() {
        let (mut budget, start) = (Budget::new(BudgetPolicy::default()), Instant::now());
        assert_eq!(withdrawn(&mut budget, 1000, start), 30);
        let later = start + WINDOW;
        for _ in 0..1000 {
            budget.deposit(later);
        }
        assert_eq!(withdrawn(&mut budget, 1000, later), 230);
        assert_eq!(withdrawn(&mut budget, 1000, later + WINDOW), 30, "what is older than ten seconds is forgotten");
    }

    proptest! {
        #[test]
        fn no_ten_seconds_hold_more_repetitions_than_allowed(
            steps in prop::collection::vec((0_u64..3000, 0_u32..20, 0_u32..100), 1..60), percent in 0_u32..101, at_least in 0_u32..5,
        ) {
            let (mut budget, mut now) = (Budget::new(BudgetPolicy { percent, at_least }), Instant::now());
            let mut seen: Vec<(Instant, u32, u32)> = Vec::new();
            for (wait, calls, tries) in steps {
                now += Duration::from_millis(wait);
                for _ in 0..calls {
                    budget.deposit(now);
                }
                let repeated = withdrawn(&mut budget, tries, now);
                seen.push((now, calls, repeated));
                // A slot is forgotten as a whole, so what a little more than the window holds may be counted against it.
                let within = |by: Duration| {
                    let recent = seen.iter().filter(move |(at, ..)| now.duration_since(*at) < by);
                    recent.fold((0, 0), |(calls, repeated), (_, c, r)| (calls + u64::from(*c), repeated + u64::from(*r)))
                };
                let allowed = within(WINDOW).0 * u64::from(percent) / 100 + u64::from(at_least) * 10;
                let (_, recent) = within(Duration::from_secs(9));
                // Asked when one was taken: afterwards the calls that allowed it grow old.
                prop_assert!(repeated == 0 || recent <= allowed, "{} of {}", recent, allowed);
                prop_assert!(budget.slots.len() <= 10, "{}", budget.slots.len());
            }
        }
    }
}
