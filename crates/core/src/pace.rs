//! Whether something comes too slowly: the body of a request, from a client that may want to hold us up.
//!
//! # Rules
//!
//! - Only the time in which somebody waits for it counts: a client is not blamed for a service that does not read.
//! - It is judged each time that so much of waiting has come together, by what came meanwhile. A byte now and then ends no such window,
//!   and a quick beginning pays for no stop later.
//!
//! Source: R. Hansen and J. Kinsella, "Slowloris HTTP `DoS`", 2009; "R-U-Dead-Yet", which does the same to bodies.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use seaworthy_core::pace::{MinRate, Pace};
//!
//! let (min, second) = (MinRate { bytes_a_second: 240, over: Duration::from_secs(10) }, Duration::from_secs(1));
//! let mut pace = Pace::default();
//! // A byte each second, for as long as anybody waits.
//! for passed in 0..10 {
//!     pace.wait(passed * second, u64::from(passed));
//!     assert!(!pace.is_too_slow(min, passed * second, u64::from(passed)));
//!     pace.go_on((passed + 1) * second);
//! }
//! assert!(pace.is_too_slow(min, 10 * second, 10));
//! ```

use std::time::Duration;

/// How fast it must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinRate {
    /// On average.
    pub bytes_a_second: u64,
    /// So much of waiting makes a window: the shortest time that somebody may be slow for.
    pub over: Duration,
}

impl MinRate {
    /// What must have come when `waited` has been waited.
    fn wanted(self, waited: Duration) -> u128 {
        u128::from(self.bytes_a_second) * waited.as_millis() / 1000
    }
}

/// How long was waited, and for what. Times are since any moment that stays the same; bytes are all that ever came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// How many wait now: streams of one connection.
    waiting: u32,
    /// Since when somebody does.
    since: Duration,
    /// How long somebody did, in this window and before that.
    waited: Duration,
    /// What had come when this window began; `None` where none has.
    mark: Option<u64>,
}

impl Pace {
    /// Somebody waits, beside those who do already. `read` bytes have come so far.
    pub fn wait(&mut self, now: Duration, read: u64) {
        if self.waiting == 0 {
            self.since = now;
        }
        self.mark.get_or_insert(read);
        self.waiting += 1;
    }

    /// One of those who wait goes on, because something came.
    pub fn go_on(&mut self, now: Duration) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0 {
            self.waited += now.saturating_sub(self.since);
            self.since = now;
        }
    }

    /// Nothing more is wanted. Where nobody else waits, the next one begins anew.
    pub fn end(&mut self) {
        if self.waiting == 0 {
            *self = Self::default();
        }
    }

    /// Whether a window is over in which too little came. The next one begins then.
    pub fn is_too_slow(&mut self, min: MinRate, now: Duration, read: u64) -> bool {
        let Some(mark) = self.mark else { return false };
        let running = if self.waiting > 0 { now.saturating_sub(self.since) } else { Duration::ZERO };
        let waited = self.waited + running;
        if waited < min.over.max(Duration::from_millis(1)) {
            return false;
        }
        (self.waited, self.since, self.mark) = (Duration::ZERO, now, Some(read));
        u128::from(read.saturating_sub(mark)) < min.wanted(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MIN: MinRate = MinRate { bytes_a_second: 100, over: Duration::from_secs(5) };

    /// After how many seconds a client that brings this much in each of them is too slow, of a minute.
    fn too_slow_after(a_second: u64) -> Option<u32> {
        let mut pace = Pace::default();
        (0..60_u32).find(|passed| {
            let read = u64::from(*passed) * a_second;
            pace.wait(*passed * SECOND, read);
            pace.go_on((*passed + 1) * SECOND);
            pace.is_too_slow(MIN, (*passed + 1) * SECOND, read + a_second)
        })
    }

    #[test]
    fn a_byte_now_and_then_ends_no_window() {
        assert_eq!(too_slow_after(0), Some(4));
        assert_eq!(too_slow_after(99), Some(4));
        assert_eq!(too_slow_after(100), None);
    }

    #[test]
    fn a_quick_beginning_pays_for_no_stop() {
        let mut pace = Pace::default();
        pace.wait(SECOND, 0);
        assert!(!pace.is_too_slow(MIN, 6 * SECOND, 1_000_000));
        assert!(!pace.is_too_slow(MIN, 10 * SECOND, 1_000_000));
        assert!(pace.is_too_slow(MIN, 11 * SECOND, 1_000_000));
    }

    #[test]
    fn nobody_is_blamed_while_nobody_waits() {
        let mut pace = Pace::default();
        pace.wait(SECOND, 0);
        pace.go_on(2 * SECOND);
        assert!(!pace.is_too_slow(MIN, 1000 * SECOND, 1));
        // Four seconds more.
        pace.wait(1000 * SECOND, 1);
        assert!(!pace.is_too_slow(MIN, 1003 * SECOND, 1));
        assert!(pace.is_too_slow(MIN, 1004 * SECOND, 1));
    }

    #[test]
    fn of_several_who_wait_at_once_time_counts_once() {
        let mut pace = Pace::default();
        pace.wait(Duration::ZERO, 0);
        pace.wait(2 * SECOND, 0);
        pace.go_on(3 * SECOND);
        assert!(!pace.is_too_slow(MIN, 4 * SECOND, 0));
        assert!(pace.is_too_slow(MIN, 5 * SECOND, 0));
    }

    #[test]
    fn a_request_that_ended_leaves_nothing_to_the_next() {
        let mut pace = Pace::default();
        pace.wait(Duration::ZERO, 0);
        pace.go_on(4 * SECOND);
        pace.end();
        pace.wait(10 * SECOND, 0);
        assert!(!pace.is_too_slow(MIN, 14 * SECOND, 0));
        assert!(pace.is_too_slow(MIN, 15 * SECOND, 0));
    }
}
