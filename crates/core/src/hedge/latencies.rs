//! How long calls took lately, each to an eighth of its value, in bounded memory.

use std::time::{Duration, Instant};

/// What was seen is kept in two halves. The older one is thrown away as a whole.
const HALF: Duration = Duration::from_secs(30);

/// Each power of two of microseconds in eight parts, up to 71 minutes.
const BUCKETS: usize = 240;

/// How many calls took how long, in the last half to one minute.
#[derive(Debug, Clone)]
pub(super) struct Latencies {
    halves: [Box<[u32; BUCKETS]>; 2],
    /// When the newer half began.
    began: Option<Instant>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { halves: [Box::new([0; BUCKETS]), Box::new([0; BUCKETS])], began: None }
    }
}

impl Latencies {
    pub(super) fn add(&mut self, took: Duration, now: Instant) {
        self.turn(now);
        let count = &mut self.halves[0][bucket(took)];
        *count = count.saturating_add(1);
    }

    /// What the part `fraction` of all calls took at most; `None` where there were fewer than `samples`.
    pub(super) fn percentile(&mut self, fraction: f64, samples: u32, now: Instant) -> Option<Duration> {
        self.turn(now);
        let counts = || self.halves[0].iter().zip(&*self.halves[1]).map(|(new, old)| u64::from(*new) + u64::from(*old));
        let all: u64 = counts().sum();
        if all < u64::from(samples) {
            return None;
        }
        let mut below = 0;
        let bucket = counts().position(|count| {
            below += count;
            below as f64 >= all as f64 * fraction
        });
        Some(upper(bucket.unwrap_or(BUCKETS - 1)))
    }

    fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if age < HALF {
            return;
        }
        self.halves.swap(0, 1);
        self.halves[0].fill(0);
        if age >= 2 * HALF {
            self.halves[1].fill(0);
        }
        self.began = Some(now);
    }
}

/// Below eight microseconds each has its own; above, the highest bit and the three behind it name the bucket.
fn bucket(took: Duration) -> usize {
    let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    let micros_wide = micros as usize;
    if micros < 8 {
        return micros_wide;
    }
    let shift = 28 - micros.leading_zeros() as usize;
    (shift + 1) * 8 + (micros_wide >> shift) - 8
}

/// The longest time that falls into a bucket.
fn upper(bucket: usize) -> Duration {
    let micros = match bucket {
        0..8 => bucket as u64,
        _ => (((bucket % 8 + 9) as u64) << (bucket / 8 - 1)) - 1,
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_time_has_the_last_bucket() {
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
        assert_eq!(upper(BUCKETS - 1), Duration::from_micros(u64::from(u32::MAX)));
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten_and_what_is_younger_than_half_of_one_is_not() {
        let (mut seen, start) = (Latencies::default(), Instant::now());
        seen.add(Duration::from_secs(1), start);
        let mut known = |after: Duration| seen.percentile(0.5, 1, start + after).is_some();
        assert!(known(HALF / 2));
        assert!(known(HALF));
        assert!(!known(2 * HALF));
    }

    proptest! {
        #[test]
        fn a_time_is_known_to_an_eighth_of_it(micros in 0_u32..) {
            let took = Duration::from_micros(u64::from(micros));
            let known = upper(bucket(took));
            prop_assert!(known >= took && known <= took + took / 8, "{took:?} is taken for {known:?}");
        }

        #[test]
        fn no_more_calls_are_beyond_a_percentile_than_it_says(
            micros in prop::collection::vec(0_u64..10_000_000, 1..300), percent in 1_u32..100,
        ) {
            let (mut seen, now) = (Latencies::default(), Instant::now());
            for micros in &micros {
                seen.add(Duration::from_micros(*micros), now);
            }
            let delay = seen.percentile(f64::from(percent) / 100.0, 1, now).expect("there are samples");
            let beyond = micros.iter().filter(|micros| Duration::from_micros(**micros) > delay).count();
            prop_assert!(beyond as f64 <= micros.len() as f64 * f64::from(100 - percent) / 100.0 + 1e-9, "{beyond} are beyond {delay:?}");
        }
    }
}
