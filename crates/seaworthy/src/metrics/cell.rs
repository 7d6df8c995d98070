//! Numbers that one thread writes and any thread may read.
//!
//! A plain load and a plain store: with one writer nothing can come in between, and the bus is not locked for it. A reader
//! sees each number as it was a moment ago, and the numbers of a histogram perhaps one observation apart.
//!
//! ```
//! use seaworthy::metrics::cell::Count;
//!
//! let orders = Count::default();
//! orders.add(2);
//! assert_eq!(orders.get(), 2);
//! ```

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use seaworthy_core::metric::{DURATIONS, Exemplar};

/// Only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts `by` more.
    pub fn add(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One more.
    pub fn up(&self) {
        self.set(self.get() + 1);
    }

    /// One fewer.
    pub fn down(&self) {
        self.set(self.get().saturating_sub(1));
    }

    /// Exactly so many.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations, in the buckets of [`DURATIONS`].
#[derive(Debug, Default)]
pub struct Durations {
    counts: [Count; DURATIONS.len() + 1],
    nanos: Count,
}

impl Durations {
    /// One more that took so long.
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS.len());
        self.counts[bucket].add(1);
        self.nanos.add(nanos);
    }
}

/// [`DURATIONS`] in nanoseconds: comparing integers needs no conversion an observation.
const BOUNDS: [u64; DURATIONS.len()] = {
    let mut bounds = [0; DURATIONS.len()];
    let mut index = 0;
    while index < bounds.len() {
        // All of them are whole milliseconds.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 5 to 10,000")]
        let millis = (DURATIONS[index] * 1e3 + 0.5) as u64;
        bounds[index] = millis * 1_000_000;
        index += 1;
    }
    bounds
};

/// The sum of several [`Durations`].
#[derive(Debug, Default, Clone, Copy)]
pub struct Total {
    /// How many fell into each bucket, and at the end those beyond the last.
    pub counts: [u64; DURATIONS.len() + 1],
    nanos: u64,
}

impl Total {
    /// Adds what one thread counted.
    pub fn add(&mut self, durations: &Durations) {
        for (total, count) in self.counts.iter_mut().zip(&durations.counts) {
            *total += count.get();
        }
        self.nanos = self.nanos.wrapping_add(durations.nanos.get());
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all of them took together.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanos).as_secs_f64()
    }
}

/// The last observation that belonged to a trace. Several numbers that belong together, so that a reader looks whether
/// they changed under its eyes (a sequence lock, of atomics).
#[derive(Debug, Default)]
pub struct Traced {
    /// Odd while being written, 0 before the first.
    turn: AtomicU64,
    trace_id: [AtomicU64; 2],
    nanos: AtomicU64,
    millis: AtomicU64,
}

impl Traced {
    /// `time` is since 1970.
    pub fn set(&self, trace_id: u128, duration: Duration, time: Duration) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let [high, low] = [trace_id >> 64, trace_id & u128::from(u64::MAX)];
        self.trace_id[0].store(u64::try_from(high).unwrap_or_default(), Ordering::Relaxed);
        self.trace_id[1].store(u64::try_from(low).unwrap_or_default(), Ordering::Relaxed);
        self.nanos.store(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.millis.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.turn.store(turn + 2, Ordering::Release);
    }

    /// `None` before the first, and where one is being written: it is only an example.
    pub fn get(&self) -> Option<Exemplar> {
        let turn = self.turn.load(Ordering::Acquire);
        let [high, low] = [0, 1].map(|half: usize| u128::from(self.trace_id[half].load(Ordering::Relaxed)));
        let (nanos, millis) = (self.nanos.load(Ordering::Relaxed), self.millis.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let whole = turn != 0 && turn.is_multiple_of(2) && turn == self.turn.load(Ordering::Relaxed);
        whole.then(|| Exemplar {
            trace_id: high << 64 | low,
            value: Duration::from_nanos(nanos).as_secs_f64(),
            time: Duration::from_millis(millis),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_it_does_not_pass() {
        let durations = Durations::default();
        for millis in [0, 5, 6, 10_000, 10_001] {
            durations.observe(Duration::from_millis(millis));
        }
        let mut total = Total::default();
        total.add(&durations);
        total.add(&durations);
        assert_eq!(total.counts, [4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
        assert_eq!((total.count(), total.seconds()), (10, 40.024));
    }

    #[test]
    fn an_exemplar_is_read_whole_or_not_at_all() {
        let traced = Traced::default();
        assert_eq!(traced.get(), None);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=50_000_u64 {
                    let time = Duration::from_millis(number);
                    traced.set(u128::from(number) << 64 | u128::from(number), time, time);
                }
            });
            let mut last = 0;
            while last < 50_000 {
                let Some(exemplar) = traced.get() else { continue };
                last = exemplar.time.as_millis();
                assert_eq!(exemplar.trace_id, last << 64 | last);
            }
        });
    }
}
