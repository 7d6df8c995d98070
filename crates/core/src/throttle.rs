//! How often one thing is said: once, then not again for a pause, with the number of times that it was held back.
//!
//! # Rules
//!
//! - The first time a fingerprint is seen it is admitted, and again once `pause` has passed since; what comes between is
//!   counted.
//! - Memory is bounded: beyond `most` fingerprints all others share one.
//!
//! # In production
//!
//! Make a fingerprint from what a programmer wrote, never from what a client sent: a fingerprint with an id in it fills the
//! table, and then strangers silence each other.
//!
//! # Example
//!
//! ```
//! # use seaworthy_core::throttle::Throttle; use std::time::{Duration, Instant};
//! let mut throttle = Throttle::new(Duration::from_secs(60), 100);
//! let start = Instant::now();
//! assert_eq!(throttle.admit("panic in main.rs:7", start), Some(0));
//! assert_eq!(throttle.admit("panic in main.rs:7", start), None);
//! assert_eq!(throttle.admit("panic in main.rs:7", start + Duration::from_secs(60)), Some(1));
//! ```

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Says whether something may be said now. Cloning copies what it remembers: share one behind a lock instead.
#[derive(Debug, Clone)]
pub struct Throttle {
    pause: Duration,
    most: usize,
    known: HashMap<Box<str>, Said>,
    /// Of all that found no room.
    others: Option<Said>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    at: Instant,
    held_back: u64,
}

impl Throttle {
    /// Once in `pause` for each of `most` fingerprints.
    #[must_use]
    pub fn new(pause: Duration, most: usize) -> Self {
        Self { pause, most, known: HashMap::new(), others: None }
    }

    /// Whether `fingerprint` may be said at `now`: how often it was held back before, or `None`.
    pub fn admit(&mut self, fingerprint: &str, now: Instant) -> Option<u64> {
        if let Some(said) = self.known.get_mut(fingerprint) {
            return said.again(now, self.pause);
        }
        if self.known.len() >= self.most {
            // Whoever has nothing held back and may speak again anyway is forgotten without a loss.
            let pause = self.pause;
            self.known.retain(|_, said| said.held_back > 0 || !said.is_over(now, pause));
        }
        let new = Said { at: now, held_back: 0 };
        if self.known.len() < self.most {
            self.known.insert(fingerprint.into(), new);
            return Some(0);
        }
        match &mut self.others {
            Some(others) => others.again(now, self.pause),
            none => {
                *none = Some(new);
                Some(0)
            }
        }
    }
}

impl Said {
    fn is_over(&self, now: Instant, pause: Duration) -> bool {
        now.saturating_duration_since(self.at) >= pause
    }

    fn again(&mut self, now: Instant, pause: Duration) -> Option<u64> {
        if !self.is_over(now, pause) {
            self.held_back += 1;
            return None;
        }
        self.at = now;
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn what_was_held_back_is_told_the_next_time() {
        let (mut throttle, start) = (Throttle::new(MINUTE, 10), Instant::now());
        assert_eq!(throttle.admit("a", start), Some(0));
        for _ in 0..5 {
            assert_eq!(throttle.admit("a", start + MINUTE / 2), None);
        }
        assert_eq!(throttle.admit("b", start), Some(0), "another one has a pause of its own");
        assert_eq!(throttle.admit("a", start + MINUTE), Some(5));
        assert_eq!(throttle.admit("a", start + 2 * MINUTE), Some(0));
    }

    #[test]
    fn fingerprints_without_end_share_one_and_take_no_memory() {
        let (mut throttle, start) = (Throttle::new(MINUTE, 10), Instant::now());
        let admitted = (0..1000).filter(|id| throttle.admit(&id.to_string(), start).is_some()).count();
        assert_eq!(admitted, 11);
        assert_eq!(throttle.known.len(), 10);
        assert_eq!(throttle.admit("0", start), None, "those that came first keep their place");
        let later = start + MINUTE;
        assert_eq!(throttle.admit("new", later), Some(0), "the silent ones have made room");
        assert_eq!(throttle.known.len(), 2, "what was held back is not forgotten");
    }
}
