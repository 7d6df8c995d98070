//! So many in such a time.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The most that a rate may count, so that a window's count and its beginning fit into one number.
const MOST: u32 = (1 << 24) - 1;

/// The longest period, and the shortest time that may lie between two requests.
const LONGEST: Duration = Duration::from_hours(24);

/// So many in such a time: `100/min`, `10/s`, `1000/h`, `5/10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    period: Duration,
}

/// Why a text or a pair of numbers is no [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    #[error("{0:?} is no rate: write so many in such a time, as in 100/min, 10/s or 5/10s")]
    Shape(String),
    #[error("the count of {0:?} is 0: nobody would be served; leave the limit out, or deny access instead")]
    ZeroCount(String),
    #[error("the count of {0:?} is above {MOST}: use a shorter period")]
    CountTooLarge(String),
    #[error("the unit {unit:?} of {rate:?} is unknown: use s, min, h or d, with a number in front if need be")]
    Unit { rate: String, unit: String },
    #[error("the period of {0:?} is not between a second and a day")]
    Period(String),
}

impl Rate {
    /// # Errors
    ///
    /// [`RateError`] if the count is 0 or above 16,777,215, or the period not between a second and a day.
    pub fn new(count: u32, period: Duration) -> Result<Self, RateError> {
        Self::named(count, period, || format!("{count}/{period:?}"))
    }

    fn named(count: u32, period: Duration, name: impl Fn() -> String) -> Result<Self, RateError> {
        let count = NonZeroU32::new(count).ok_or_else(|| RateError::ZeroCount(name()))?;
        if count.get() > MOST {
            return Err(RateError::CountTooLarge(name()));
        }
        if period < Duration::from_secs(1) || period > LONGEST {
            return Err(RateError::Period(name()));
        }
        Ok(Self { count, period })
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count.get()
    }

    /// In which time.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let shape = || RateError::Shape(text.to_owned());
        let (count, period) = text.trim().split_once('/').ok_or_else(shape)?;
        let (count, period) = (count.trim(), period.trim());
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(shape());
        }
        // Digits alone fail to parse only where there are too many of them.
        let count: u32 = count.parse().map_err(|_| RateError::CountTooLarge(text.to_owned()))?;
        let digits = period.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = period.split_at(digits);
        let seconds = match unit.trim() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "" => return Err(shape()),
            unit => return Err(RateError::Unit { rate: text.to_owned(), unit: unit.to_owned() }),
        };
        let number: u64 = if number.is_empty() { 1 } else { number.parse().unwrap_or(u64::MAX) };
        Self::named(count, Duration::from_secs(number.saturating_mul(seconds)), || text.to_owned())
    }
}

/// As it is written: `100/60s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.count, self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(text: &str) -> (u32, u64) {
        let rate: Rate = text.parse().unwrap();
        (rate.count(), rate.period().as_secs())
    }

    #[test]
    fn a_rate_is_read_in_the_ways_people_write_it() {
        assert_eq!(rate("100/min"), (100, 60));
        assert_eq!(rate("100/m"), (100, 60));
        assert_eq!(rate(" 10 / s "), (10, 1));
        assert_eq!(rate("5/10s"), (5, 10));
        assert_eq!(rate("1000/hour"), (1000, 3600));
        assert_eq!(rate("7/1d"), (7, 86_400));
    }

    #[test]
    fn what_is_no_rate_is_quoted_with_what_to_write() {
        let refused = |text: &str| text.parse::<Rate>().unwrap_err().to_string();
        assert_eq!(refused("fast"), r#""fast" is no rate: write so many in such a time, as in 100/min, 10/s or 5/10s"#);
        assert!(refused("0/s").starts_with(r#"the count of "0/s" is 0"#));
        assert!(refused("9/fortnight").starts_with(r#"the unit "fortnight" of "9/fortnight" is unknown"#));
        assert!(refused("16777216/s").contains("above 16777215"));
        assert!(refused("99999999999/s").contains("above 16777215"));
        for no_period in ["1/0s", "1/25h", "1/99999999999999999999s"] {
            assert!(refused(no_period).contains("between a second and a day"), "{no_period}");
        }
        for no_rate in ["", "/", "1/", "-1/s", "1.5/s", "1/5"] {
            assert!(matches!(no_rate.parse::<Rate>(), Err(RateError::Shape(_))), "{no_rate}");
        }
    }

    proptest! {
        #[test]
        fn a_rate_that_is_shown_is_read_as_the_same(count in 1_u32..=MOST, seconds in 1_u64..=86_400) {
            let rate = Rate::new(count, Duration::from_secs(seconds)).unwrap();
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = text.parse::<Rate>();
        }
    }
}
