//! The least level that is written, changeable while running, with or without an end.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use seaworthy_core::event::Level;

/// A level, and until when another one stands in for it.
#[derive(Debug)]
pub(super) struct Threshold {
    base: AtomicU8,
    /// What stands in, or [`NOBODY`].
    stand_in: AtomicU8,
    until: Mutex<Option<Instant>>,
}

const NOBODY: u8 = u8::MAX;

impl Threshold {
    pub(super) fn new(level: Level) -> Self {
        Self { base: AtomicU8::new(level as u8), stand_in: AtomicU8::new(NOBODY), until: Mutex::new(None) }
    }

    /// The level of the configuration; what stands in for it stays until its end.
    pub(super) fn set_base(&self, level: Level) {
        self.base.store(level as u8, Ordering::Relaxed);
    }

    /// Without an end, `level` is the level from now on; with one, the level before comes back then.
    pub(super) fn set(&self, level: Level, until: Option<Instant>) {
        let mut end = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *end = until;
        if until.is_some() {
            self.stand_in.store(level as u8, Ordering::Relaxed);
        } else {
            self.base.store(level as u8, Ordering::Relaxed);
            self.stand_in.store(NOBODY, Ordering::Relaxed);
        }
    }

    /// How long another level stands in for it, if one does.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let end = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        end.map(|end| end.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    pub(super) fn at(&self, now: Instant) -> Level {
        if self.stand_in.load(Ordering::Relaxed) != NOBODY {
            let end = self.until.lock().unwrap_or_else(PoisonError::into_inner);
            if end.is_some_and(|end| now >= end) {
                self.stand_in.store(NOBODY, Ordering::Relaxed);
            }
        }
        let stand_in = self.stand_in.load(Ordering::Relaxed);
        from(if stand_in == NOBODY { self.base.load(Ordering::Relaxed) } else { stand_in })
    }
}

fn from(level: u8) -> Level {
    [Level::Trace, Level::Debug, Level::Info, Level::Warn]
        .into_iter()
        .find(|known| *known as u8 == level)
        .unwrap_or(Level::Error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_level_with_an_end_gives_way_to_the_one_before() {
        let (threshold, start) = (Threshold::new(Level::Warn), Instant::now());
        threshold.set(Level::Trace, Some(start + Duration::from_mins(10)));
        assert_eq!(threshold.at(start), Level::Trace);
        assert_eq!(threshold.at(start + Duration::from_mins(10)), Level::Warn);
    }

    #[test]
    fn a_reload_changes_the_level_that_comes_back() {
        let (threshold, start) = (Threshold::new(Level::Warn), Instant::now());
        threshold.set(Level::Trace, Some(start + Duration::from_mins(10)));
        threshold.set_base(Level::Info);
        assert_eq!(threshold.at(start), Level::Trace);
        assert_eq!(threshold.at(start + Duration::from_mins(10)), Level::Info);
    }

    #[test]
    fn a_level_without_an_end_stays() {
        let (threshold, start) = (Threshold::new(Level::Warn), Instant::now());
        threshold.set(Level::Trace, Some(start + Duration::from_secs(1)));
        threshold.set(Level::Debug, None);
        assert_eq!(threshold.at(start), Level::Debug);
        assert_eq!(threshold.at(start + Duration::from_hours(1)), Level::Debug);
    }
}
