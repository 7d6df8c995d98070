//! The clocks of the library.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

/// How long the time of day is reckoned before it is read again.
const RECKONED: Duration = Duration::from_secs(1);

thread_local! {
    static READ: Cell<Option<(Instant, SystemTime)>> = const { Cell::new(None) };
}

/// The time of day at `now`, which has just been: read once a second and thread, and reckoned in between. A clock that was set, or a
/// machine that slept, shows up to a second late.
pub(crate) fn time_of_day(now: Instant) -> SystemTime {
    if let Some((at, time)) = READ.get() {
        match now.checked_duration_since(at) {
            Some(since) if since < RECKONED => return time + since,
            Some(_) => {}
            // From before it was read: a request may have ended on another thread.
            None => return time.checked_sub(at.saturating_duration_since(now)).unwrap_or(time),
        }
    }
    let time = SystemTime::now();
    READ.set(Some((now, time)));
    time
}

/// Now, as tokio has it, so that a paused clock moves everything. The same as [`Instant::now`], unless a test has paused time.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_goes_on_as_the_clock_does() {
        let now = Instant::now();
        let time = time_of_day(now);
        assert!(SystemTime::now().duration_since(time).is_ok_and(|since| since < Duration::from_mins(1)));
        let (short, long) = (RECKONED / 2, Duration::from_millis(20));
        assert_eq!(time_of_day(now + short), time + short);
        assert_eq!(now.checked_sub(long).map(time_of_day), Some(time - long));
    }

    #[test]
    fn it_is_read_again_after_a_second() {
        let now = Instant::now();
        time_of_day(now);
        // Reckoned on, it would be an hour ahead.
        let hour = Duration::from_hours(1);
        assert!(time_of_day(now + hour) < SystemTime::now() + hour / 2);
    }
}
