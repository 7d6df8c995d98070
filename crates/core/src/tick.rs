//! A coarse clock: a number that grows every [`TICK`].
//!
//! Timeouts of connections are counted in seconds; reading a real clock, or arming a timer, for each request would cost more than all they
//! decide. Whoever looks at all connections, once a tick, advances the number.
//!
//! ```
//! use std::time::Duration;
//! use seaworthy_core::tick::ticks;
//!
//! assert_eq!(ticks(Duration::from_millis(101)), 2);
//! ```

use std::time::Duration;

/// How long a tick is.
pub const TICK: Duration = Duration::from_millis(100);

/// A duration in ticks, rounded up, so that nothing times out early.
#[must_use]
pub fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_never_shorter_in_ticks() {
        assert_eq!(ticks(Duration::ZERO), 0);
        assert_eq!(ticks(Duration::from_millis(1)), 1);
        assert_eq!(ticks(Duration::from_millis(100)), 1);
        assert_eq!(ticks(Duration::from_millis(101)), 2);
        assert_eq!(ticks(Duration::MAX), u32::MAX);
    }
}
