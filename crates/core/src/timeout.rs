//! How long the parts of a call may take.
//!
//! | part | from | to |
//! | --- | --- | --- |
//! | connect | the name | a connection, TLS included |
//! | attempt | the request | the head of the answer, connect included |
//! | total | the first attempt | the head of the answer, waits and retries included |
//! | idle | one piece of a body | the next |
//!
//! A body may last longer than the total: streams do. What is not stated is worked out from what is.
//!
//! ```
//! use std::time::Duration;
//! use seaworthy_core::timeout::{Parts, Timeouts};
//!
//! let timeouts = Timeouts::new(Parts { total: Some(Duration::from_secs(4)), ..Parts::default() })?;
//! assert_eq!(timeouts.attempt(), Duration::from_secs(2));
//! # Ok::<(), seaworthy_core::timeout::TimeoutError>(())
//! ```

use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(3);
const ATTEMPT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_mins(1);

/// What somebody stated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// Default: 3 s, or the attempt if that is shorter.
    pub connect: Option<Duration>,
    /// Default: 10 s, or half of the total if that is shorter.
    pub attempt: Option<Duration>,
    /// Default: 30 s, or three attempts if that is longer.
    pub total: Option<Duration>,
    /// Default: 60 s.
    pub idle: Option<Duration>,
}

/// Timeouts of which each fits into the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    connect: Duration,
    attempt: Duration,
    total: Duration,
    idle: Duration,
}

/// Why the parts make no [`Timeouts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeoutError {
    #[error("{part} is 0s: no call would ever succeed")]
    Zero { part: &'static str },
    #[error(
        "connect {connect:?} is longer than attempt {attempt:?}, which contains it: lengthen the attempt or shorten the connect"
    )]
    ConnectBeyondAttempt { connect: Duration, attempt: Duration },
    #[error(
        "attempt {attempt:?} is not below total {total:?}: one attempt would use up the time of all; lengthen the total or shorten the attempt"
    )]
    AttemptBeyondTotal { attempt: Duration, total: Duration },
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT, attempt: ATTEMPT, total: TOTAL, idle: IDLE }
    }
}

impl Timeouts {
    /// # Errors
    ///
    /// [`TimeoutError`] if a part is 0, or longer than what contains it.
    pub fn new(parts: Parts) -> Result<Self, TimeoutError> {
        let attempt = match (parts.attempt, parts.total) {
            (Some(attempt), _) => attempt,
            (None, Some(total)) => ATTEMPT.min(total / 2),
            (None, None) => ATTEMPT,
        };
        let total = parts.total.unwrap_or_else(|| TOTAL.max(attempt.saturating_mul(3)));
        let connect = parts.connect.unwrap_or(CONNECT.min(attempt));
        let idle = parts.idle.unwrap_or(IDLE);
        for (part, length) in [("connect", connect), ("attempt", attempt), ("total", total), ("idle", idle)] {
            if length.is_zero() {
                return Err(TimeoutError::Zero { part });
            }
        }
        if connect > attempt {
            return Err(TimeoutError::ConnectBeyondAttempt { connect, attempt });
        }
        if attempt >= total {
            return Err(TimeoutError::AttemptBeyondTotal { attempt, total });
        }
        Ok(Self { connect, attempt, total, idle })
    }

    pub fn connect(&self) -> Duration {
        self.connect
    }

    pub fn attempt(&self) -> Duration {
        self.attempt
    }

    pub fn total(&self) -> Duration {
        self.total
    }

    pub fn idle(&self) -> Duration {
        self.idle
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_attempt_that_is_not_below_the_total_is_refused_with_both() {
        let parts = Parts { attempt: Some(seconds(10)), total: Some(seconds(10)), ..Parts::default() };
        let refused = Timeouts::new(parts).unwrap_err().to_string();
        assert!(refused.starts_with("attempt 10s is not below total 10s"), "{refused}");
    }

    #[test]
    fn connecting_is_part_of_an_attempt() {
        let parts = Parts { connect: Some(seconds(4)), attempt: Some(seconds(3)), ..Parts::default() };
        let (connect, attempt) = (seconds(4), seconds(3));
        assert_eq!(Timeouts::new(parts), Err(TimeoutError::ConnectBeyondAttempt { connect, attempt }));
    }

    #[test]
    fn nothing_stated_is_the_default() {
        assert_eq!(Timeouts::new(Parts::default()), Ok(Timeouts::default()));
    }

    proptest! {
        #[test]
        fn one_stated_part_never_contradicts_a_default(length in 1_u64..10_000_000) {
            let length = Some(Duration::from_millis(length));
            let attempt = Parts { attempt: length, ..Parts::default() };
            let total = Parts { total: length, ..Parts::default() };
            let idle = Parts { idle: length, ..Parts::default() };
            for parts in [attempt, total, idle] {
                prop_assert!(Timeouts::new(parts).is_ok(), "{:?}", parts);
            }
        }
    }
}
