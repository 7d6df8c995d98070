//! A coarse clock of one worker: a number that grows every [`TICK`].
//!
//! Timeouts of connections are counted in seconds; reading a real clock, or arming a timer, for each request would cost
//! more than all they decide. The sweep advances the number and looks at every connection.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How often the sweep looks.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The clock of a worker. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticks(Rc<Cell<u32>>);

impl Ticks {
    pub(crate) fn now(&self) -> u32 {
        self.0.get()
    }

    /// Sets the clock to the time that has passed since the worker began.
    pub(crate) fn set(&self, since_start: Duration) {
        self.0.set(ticks(since_start));
    }
}

/// A duration in ticks, rounded up, so that nothing times out early.
pub(crate) fn ticks(duration: Duration) -> u32 {
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
