//! What was seen lately.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Cause, Failures, Policy, Rates, Window};

/// A window of time is kept in so many buckets.
const BUCKETS: u32 = 10;

/// A call that ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    calls: u32,
    failed: u32,
    slow: u32,
}

impl Counts {
    fn add(&mut self, sample: Sample) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(sample.failed));
        self.slow = self.slow.saturating_add(u32::from(sample.slow));
    }

    fn remove(&mut self, sample: Sample) {
        self.calls -= 1;
        self.failed -= u32::from(sample.failed);
        self.slow -= u32::from(sample.slow);
    }

    fn join(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            failed: self.failed.saturating_add(other.failed),
            slow: self.slow.saturating_add(other.slow),
        }
    }
}

#[derive(Debug, Clone)]
enum Calls {
    None,
    Last { samples: VecDeque<Sample>, most: usize, counts: Counts },
    Within { buckets: VecDeque<(Instant, Counts)>, window: Duration },
}

/// The calls of a closed breaker.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    /// Never more than the number that trips.
    failures: VecDeque<Instant>,
    within: Option<Failures>,
    calls: Calls,
}

impl Recent {
    pub(super) fn of(policy: &Policy) -> Self {
        let calls = match policy.rates.map(|rates| rates.window) {
            None => Calls::None,
            Some(Window::Calls(most)) => {
                let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
                Calls::Last { samples: VecDeque::new(), most, counts: Counts::default() }
            }
            Some(Window::Time(window)) => Calls::Within { buckets: VecDeque::new(), window },
        };
        Self { failures: VecDeque::new(), within: policy.failures, calls }
    }

    pub(super) fn add(&mut self, sample: Sample, now: Instant) {
        if let Some(Failures { count, within }) = self.within
            && sample.failed
        {
            self.failures.retain(|at| now.saturating_duration_since(*at) < within);
            if self.failures.len() >= usize::try_from(count.get()).unwrap_or(usize::MAX) {
                self.failures.pop_front();
            }
            self.failures.push_back(now);
        }
        match &mut self.calls {
            Calls::None => {}
            Calls::Last { samples, most, counts } => {
                if samples.len() >= *most
                    && let Some(oldest) = samples.pop_front()
                {
                    counts.remove(oldest);
                }
                samples.push_back(sample);
                counts.add(sample);
            }
            Calls::Within { buckets, window } => {
                let width = *window / BUCKETS;
                buckets.retain(|(began, _)| now.saturating_duration_since(*began) < *window);
                match buckets.back_mut() {
                    Some((began, counts)) if now.saturating_duration_since(*began) < width => counts.add(sample),
                    _ => {
                        let mut counts = Counts::default();
                        counts.add(sample);
                        buckets.push_back((now, counts));
                    }
                }
            }
        }
    }

    /// What there is to trip on, asked right after a call was added.
    pub(super) fn verdict(&self, policy: &Policy) -> Option<Cause> {
        if let Some(Failures { count, within }) = policy.failures {
            let seen = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
            if seen >= count.get() {
                return Some(Cause::Failures { count: seen, within });
            }
        }
        let Rates { minimum_calls, failure, slow, .. } = policy.rates?;
        let Counts { calls, failed, slow: slow_calls } = self.sum();
        if calls < minimum_calls.get() {
            return None;
        }
        let percent = |some: u32| u8::try_from(u64::from(some) * 100 / u64::from(calls)).unwrap_or(100);
        if failure.is_some_and(|rate| failed > 0 && rate.reached(failed, calls)) {
            return Some(Cause::FailureRate { percent: percent(failed), calls });
        }
        if slow.is_some_and(|slow| slow_calls > 0 && slow.rate.reached(slow_calls, calls)) {
            return Some(Cause::SlowRate { percent: percent(slow_calls), calls });
        }
        None
    }

    fn sum(&self) -> Counts {
        match &self.calls {
            Calls::None => Counts::default(),
            Calls::Last { counts, .. } => *counts,
            Calls::Within { buckets, .. } => {
                buckets.iter().fold(Counts::default(), |sum, (_, counts)| sum.join(*counts))
            }
        }
    }

    /// Calls, failures and slow ones at `now`.
    pub(super) fn counts(&self, now: Instant) -> (u32, u32, u32) {
        let failures = self.failures.iter();
        let fresh = |at: &&Instant| self.within.is_some_and(|rule| now.saturating_duration_since(**at) < rule.within);
        let failures = u32::try_from(failures.filter(fresh).count()).unwrap_or(u32::MAX);
        let counts = match &self.calls {
            Calls::None => return (failures, failures, 0),
            Calls::Last { counts, .. } => *counts,
            Calls::Within { buckets, window } => {
                let fresh = buckets.iter().filter(|(began, _)| now.saturating_duration_since(*began) < *window);
                fresh.fold(Counts::default(), |sum, (_, counts)| sum.join(*counts))
            }
        };
        (counts.calls, counts.failed.max(failures), counts.slow)
    }
}
