//! The time as it stands in lines. What changes once a second is made once a second.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Reads and writes out the time. Clones keep their own second.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    zone: Zone,
    second: u64,
    text: Vec<u8>,
    /// Where the milliseconds stand in `text`.
    millis: usize,
}

#[derive(Debug, Clone)]
enum Zone {
    Utc,
    Local(TimeZone),
}

impl Clock {
    /// RFC 3339 in UTC: `2026-01-02T03:04:05.678Z`.
    pub(super) fn utc() -> Self {
        Self::of(Zone::Utc)
    }

    /// The time of day where we are, for people: `03:04:05.678`.
    pub(super) fn local() -> Self {
        Self::of(Zone::Local(TimeZone::system()))
    }

    fn of(zone: Zone) -> Self {
        Self { zone, second: u64::MAX, text: Vec::new(), millis: 0 }
    }

    pub(super) fn read(&mut self, now: SystemTime) -> &[u8] {
        // A clock before 1970 is not set yet; there is nothing better to say than its zero.
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if since.as_secs() != self.second {
            self.second = since.as_secs();
            self.turn();
        }
        let millis = since.subsec_millis();
        for (at, place) in [100, 10, 1].into_iter().enumerate() {
            self.text[self.millis + at] = b'0' + u8::try_from(millis / place % 10).unwrap_or_default();
        }
        &self.text
    }

    fn turn(&mut self) {
        let second = i64::try_from(self.second).ok().and_then(|second| Timestamp::from_second(second).ok());
        let time = second.unwrap_or(Timestamp::MAX);
        let (zone, format, tail) = match &self.zone {
            Zone::Utc => (TimeZone::UTC, "%Y-%m-%dT%H:%M:%S", b".000Z".as_slice()),
            Zone::Local(zone) => (zone.clone(), "%H:%M:%S", b".000".as_slice()),
        };
        self.text = time.to_zoned(zone).strftime(format).to_string().into_bytes();
        self.millis = self.text.len() + 1;
        self.text.extend_from_slice(tail);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_the_same_whether_its_second_is_new_or_not() {
        let mut clock = Clock::utc();
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_782_400_042, "2000-02-29T00:00:00.042Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (4_102_444_800_100, "2100-01-01T00:00:00.100Z"),
        ] {
            assert_eq!(clock.read(at(millis)), text.as_bytes());
        }
    }

    #[test]
    fn a_clock_before_its_time_is_written_as_zero() {
        assert_eq!(Clock::utc().read(UNIX_EPOCH - Duration::from_secs(1)), b"1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_clock_beyond_all_dates_is_written_as_the_last() {
        let far = UNIX_EPOCH + Duration::from_secs(1 << 60);
        assert!(Clock::utc().read(far).starts_with(b"9999-"));
    }
}
