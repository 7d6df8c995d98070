//! Whether something comes too slowly: the body of a request, from a client that may want to hold us up.
//!
//! # Rules
//!
//! - Every body has a [`Pace`] of its own: a slow stream of HTTP/2 does not hide behind a fast one, and is blamed for itself alone.
//! - Only the time in which somebody waits for it counts: a client is not blamed for a service that does not read.
//! - It is judged each time that so much of waiting has come together, by what came meanwhile. A byte now and then ends no such window,
//!   and a quick beginning pays for no stop later.
//! - A frame of HTTP/2 is given on when it is whole, and a slow line takes longer than a window for one. So in a window that brought nothing
//!   to any other body of the connection, whatever came on the line counts, since it may be a frame of this one; for [`IN_THE_AIR`] bytes
//!   at the most, because after so many it is something else.
//!
//! Source: R. Hansen and J. Kinsella, "Slowloris HTTP `DoS`", 2009; "R-U-Dead-Yet", which does the same to bodies.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use seaworthy_core::pace::{Arrived, MinRate, Pace};
//!
//! let (min, second) = (MinRate { bytes_a_second: 240, over: Duration::from_secs(10) }, Duration::from_secs(1));
//! let mut pace = Pace::default();
//! // A byte each second, for as long as anybody waits.
//! for passed in 0..10 {
//!     pace.wait(passed * second, Arrived::alone(u64::from(passed)));
//!     assert!(!pace.is_too_slow(min, passed * second, Arrived::alone(u64::from(passed))));
//!     pace.go_on((passed + 1) * second);
//! }
//! pace.wait(10 * second, Arrived::alone(10));
//! assert!(pace.is_too_slow(min, 10 * second, Arrived::alone(10)));
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

/// How much may be on its way to a body before a first byte of it is given on: a frame of the size that every HTTP/2 client may send
/// (RFC 9113, 4.2), and as much again for what stands around it.
pub const IN_THE_AIR: u64 = 2 * 16_384;

/// What has come so far, in bytes since the beginning of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Of this body.
    pub body: u64,
    /// Of all bodies on its connection, this one included.
    pub bodies: u64,
    /// On the connection, whatever it was.
    pub connection: u64,
}

impl Arrived {
    /// Of a body that has the connection for itself, as over HTTP/1: whatever comes is of it.
    #[must_use]
    pub fn alone(bytes: u64) -> Self {
        Self { body: bytes, bodies: bytes, connection: bytes }
    }

    fn since(self, mark: Self) -> Self {
        Self {
            body: self.body.saturating_sub(mark.body),
            bodies: self.bodies.saturating_sub(mark.bodies),
            connection: self.connection.saturating_sub(mark.connection),
        }
    }
}

/// How long one body was waited for, and what came. Times are since any moment that stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// Since when somebody waits; `None` while nobody does.
    since: Option<Duration>,
    /// How long somebody did, in this window and before that.
    waited: Duration,
    /// What had come when this window began; `None` where none has.
    mark: Option<Arrived>,
    /// What counted without being known to be of this body, since enough of it came.
    supposed: u64,
}

impl Pace {
    /// Somebody waits. `arrived` is what has come so far.
    pub fn wait(&mut self, now: Duration, arrived: Arrived) {
        self.since.get_or_insert(now);
        self.mark.get_or_insert(arrived);
    }

    /// Whoever waits goes on, because something came.
    pub fn go_on(&mut self, now: Duration) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_sub(since);
        }
    }

    /// Whether a window is over in which too little came. The next one begins then. Nobody is judged while nobody waits.
    pub fn is_too_slow(&mut self, min: MinRate, now: Duration, arrived: Arrived) -> bool {
        let (Some(since), Some(mark)) = (self.since, self.mark) else { return false };
        let waited = self.waited + now.saturating_sub(since);
        if waited < min.over.max(Duration::from_millis(1)) {
            return false;
        }
        (self.waited, self.since, self.mark) = (Duration::ZERO, Some(now), Some(arrived));
        let came = arrived.since(mark);
        let enough = min.wanted(waited);
        if u128::from(came.body) >= enough {
            self.supposed = 0;
            return false;
        }
        // Somebody else was given something: what is on its way now may as well be for them.
        if came.bodies > came.body {
            return true;
        }
        self.supposed = self.supposed.saturating_add(came.connection).saturating_sub(came.body);
        u128::from(came.connection) < enough || self.supposed > IN_THE_AIR
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
            let read = |passed: u32| Arrived::alone(u64::from(passed) * a_second);
            pace.go_on(*passed * SECOND);
            pace.wait(*passed * SECOND, read(*passed));
            pace.is_too_slow(MIN, (*passed + 1) * SECOND, read(*passed + 1))
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
        let (mut pace, quick) = (Pace::default(), Arrived::alone(1_000_000));
        pace.wait(SECOND, Arrived::alone(0));
        assert!(!pace.is_too_slow(MIN, 6 * SECOND, quick));
        assert!(!pace.is_too_slow(MIN, 10 * SECOND, quick));
        assert!(pace.is_too_slow(MIN, 11 * SECOND, quick));
    }

    #[test]
    fn nobody_is_blamed_while_nobody_waits() {
        let mut pace = Pace::default();
        pace.wait(SECOND, Arrived::alone(0));
        pace.go_on(2 * SECOND);
        assert!(!pace.is_too_slow(MIN, 1000 * SECOND, Arrived::alone(1)));
        // Four seconds more.
        pace.wait(1000 * SECOND, Arrived::alone(1));
        assert!(!pace.is_too_slow(MIN, 1003 * SECOND, Arrived::alone(1)));
        assert!(pace.is_too_slow(MIN, 1004 * SECOND, Arrived::alone(1)));
    }

    /// What came where this much is of the body, of all bodies, and on the connection.
    fn arrived(body: u64, bodies: u64, connection: u64) -> Arrived {
        Arrived { body, bodies, connection }
    }

    #[test]
    fn a_slow_stream_does_not_hide_behind_a_fast_one() {
        let mut pace = Pace::default();
        pace.wait(Duration::ZERO, arrived(0, 0, 0));
        assert!(!pace.is_too_slow(MIN, 4 * SECOND, arrived(2, 4_000_002, 4_100_000)));
        assert!(pace.is_too_slow(MIN, 5 * SECOND, arrived(2, 5_000_002, 5_100_000)));
    }

    #[test]
    fn a_frame_that_takes_longer_than_a_window_counts_while_it_comes() {
        let mut pace = Pace::default();
        pace.wait(Duration::ZERO, arrived(0, 0, 0));
        // 150 bytes a second: a small frame, then some of 16 KiB, each of which takes 110 seconds.
        for passed in 1..=660_u32 {
            let connection = u64::from(passed) * 150;
            let body = connection.saturating_sub(5) / 16_384 * 16_384 + 5;
            assert!(!pace.is_too_slow(MIN, passed * SECOND, arrived(body, body, connection)), "after {passed} s");
        }
    }

    #[test]
    fn frames_of_others_pass_for_its_own_until_they_are_whole() {
        // The frame was of somebody else.
        let mut pace = Pace::default();
        pace.wait(Duration::ZERO, arrived(0, 0, 0));
        assert!(!pace.is_too_slow(MIN, 5 * SECOND, arrived(0, 0, 10_000)));
        assert!(pace.is_too_slow(MIN, 10 * SECOND, arrived(0, 16_384, 20_000)));
        // What brings nothing to anybody is no frame of a body, however much it is.
        let mut pace = Pace::default();
        pace.wait(Duration::ZERO, arrived(0, 0, 0));
        assert!(!pace.is_too_slow(MIN, 5 * SECOND, arrived(0, 0, IN_THE_AIR)));
        assert!(pace.is_too_slow(MIN, 10 * SECOND, arrived(0, 0, 2 * IN_THE_AIR)));
    }
}
