//! Durations by their size, with a precision of a sixty-fourth.

use std::time::Duration;

/// Steps within each power of two.
const STEPS: u64 = 64;

/// A histogram of durations: microseconds, up to hours, in a few KiB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

impl Histogram {
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let index = index(micros);
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.total += 1;
        self.longest = self.longest.max(duration);
    }

    /// The value that the share `quantile` (0 to 1) of all durations does not exceed. Zero where there is none.
    pub fn quantile(&self, quantile: f64) -> Duration {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the total")]
        let rank = (self.total as f64 * quantile.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return Duration::from_micros(upper(index)).min(self.longest);
            }
        }
        Duration::ZERO
    }

    pub fn count(&self) -> u64 {
        self.total
    }

    pub fn longest(&self) -> Duration {
        self.longest
    }
}

#[allow(clippy::cast_possible_truncation, reason = "an index is below 64 * 64")]
fn index(micros: u64) -> usize {
    if micros < 2 * STEPS {
        return micros as usize;
    }
    // The power of two above the first two, and the step within it.
    let power = u64::from(micros.ilog2()) - u64::from(STEPS.ilog2());
    (power * STEPS + (micros >> power)) as usize
}

/// The largest value that falls on `index`.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * STEPS {
        return index;
    }
    let power = index / STEPS - 1;
    let step = index % STEPS + STEPS;
    ((step + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_on_a_step_that_is_at_most_a_sixty_fourth_off() {
        for micros in (0..200).chain([1_000, 12_345, 999_999, 60_000_000, 3_600_000_000]) {
            let upper = upper(index(micros));
            assert!(upper >= micros && upper - micros <= micros / 64, "{micros} became {upper}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        for (quantile, millis) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(quantile).as_secs_f64() * 1000.0;
            assert!((found - millis).abs() / millis < 0.02, "{quantile}: {found}");
        }
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
