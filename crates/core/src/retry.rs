//! What is tried again, when, and within which budget.
//!
//! # Rules
//!
//! - Only what may be repeated: an idempotent method (RFC 9110, 9.2.2), or a request with an `Idempotency-Key`; and only
//!   while its body is still there whole.
//! - Only what may pass: no answer, or one of [`Policy::statuses`].
//! - The wait grows and has full jitter. A `Retry-After` is waited for, even if it is longer; one beyond
//!   [`Policy::longest_retry_after`], or beyond the time that is left, ends it: the caller gets the answer, and can wait better.
//! - A [`Budget`] bounds retries to a part of all calls. Where everything fails, retries would only multiply the load.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//! use seaworthy_core::retry::{Answer, Attempt, Budget, BudgetPolicy, Policy, Verdict};
//!
//! let (policy, mut budget, now) = (Policy::default(), Budget::new(BudgetPolicy::default()), Instant::now());
//! budget.deposit(now);
//! let attempt = Attempt { number: 1, repeatable: true, answer: Answer::Status(503), retry_after: None, left: None };
//! assert_eq!(policy.decide(&attempt, &mut budget, now, 0.5), Verdict::Again { after: Duration::from_millis(500) });
//! let post = Attempt { repeatable: false, ..attempt };
//! assert!(matches!(policy.decide(&post, &mut budget, now, 0.5), Verdict::Stop(_)));
//! ```

mod budget;

use std::time::{Duration, Instant};

pub use budget::{Budget, BudgetPolicy};

use crate::backoff::Backoff;

/// Statuses that may pass: too slow, too early, too many, and those of a service or a proxy that is away for now.
pub const STATUSES: [u16; 6] = [408, 425, 429, 502, 503, 504];

/// What is tried again, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Beyond the first attempt. 0 tries nothing again. Default: 3.
    pub retries: u32,
    /// Default: 1 s, factor 2, at most 10 s.
    pub backoff: Backoff,
    /// A longer `Retry-After` is left to the caller. Default: 30 s.
    pub longest_retry_after: Duration,
    /// Default: [`STATUSES`].
    pub statuses: Vec<u16>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries: 3,
            backoff: Backoff::default(),
            longest_retry_after: Duration::from_secs(30),
            statuses: STATUSES.to_vec(),
        }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    /// No answer: the connection failed, or it took too long.
    Nothing,
}

/// An attempt that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The first is 1.
    pub number: u32,
    /// Whether the request may be sent again: see [`repeatable`], and whether its body is still there.
    pub repeatable: bool,
    pub answer: Answer,
    /// What the answer said.
    pub retry_after: Option<Duration>,
    /// Until the total time is over; `None` where there is no end to it.
    pub left: Option<Duration>,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Try it again, `after` a wait. The budget has been charged.
    Again { after: Duration },
    /// This is the answer.
    Stop(Why),
}

/// Why nothing more is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// It is an answer like others.
    Answered,
    /// It must not be sent twice.
    NotRepeatable,
    /// As many attempts were made as may be.
    Exhausted,
    /// The service wants to be left alone for longer than anybody waits here.
    RetryAfter,
    /// The wait would outlast the total time.
    OutOfTime,
    /// Too many of all calls were repeated lately.
    BudgetExhausted,
}

impl Policy {
    /// What follows an attempt that ended at `now`. `random` is from 0 to 1, for the jitter.
    pub fn decide(&self, attempt: &Attempt, budget: &mut Budget, now: Instant, random: f64) -> Verdict {
        match self.wait(attempt, random) {
            Verdict::Again { .. } if !budget.withdraw(now) => Verdict::Stop(Why::BudgetExhausted),
            verdict => verdict,
        }
    }

    fn wait(&self, attempt: &Attempt, random: f64) -> Verdict {
        let passes = match attempt.answer {
            Answer::Status(status) => self.statuses.contains(&status),
            Answer::Nothing => true,
        };
        if !passes {
            return Verdict::Stop(Why::Answered);
        }
        if !attempt.repeatable {
            return Verdict::Stop(Why::NotRepeatable);
        }
        if attempt.number > self.retries {
            return Verdict::Stop(Why::Exhausted);
        }
        if attempt.retry_after.is_some_and(|after| after > self.longest_retry_after) {
            return Verdict::Stop(Why::RetryAfter);
        }
        let jittered = self.backoff.full_jitter(attempt.number.saturating_sub(1), random);
        let after = jittered.max(attempt.retry_after.unwrap_or_default());
        if attempt.left.is_some_and(|left| after >= left) {
            return Verdict::Stop(Why::OutOfTime);
        }
        Verdict::Again { after }
    }
}

/// Whether a request may be sent twice: by its method (RFC 9110, 9.2.2), or because it carries a key by which the service
/// knows the second from another (draft-ietf-httpapi-idempotency-key-header).
#[must_use]
pub fn repeatable(method: &str, idempotency_key: bool) -> bool {
    idempotency_key || matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn attempt(number: u32, answer: Answer) -> Attempt {
        Attempt { number, repeatable: true, answer, retry_after: None, left: None }
    }

    fn decided(attempt: Attempt) -> Verdict {
        let mut budget = Budget::new(BudgetPolicy::default());
        Policy::default().decide(&attempt, &mut budget, Instant::now(), 1.0)
    }

    #[test]
    fn three_retries_follow_after_one_two_and_four_seconds_at_most() {
        let verdicts: Vec<_> = (1..=4).map(|number| decided(attempt(number, Answer::Nothing))).collect();
        let again = |seconds| Verdict::Again { after: seconds * SECOND };
        assert_eq!(verdicts, [again(1), again(2), again(4), Verdict::Stop(Why::Exhausted)]);
    }

    #[test]
    fn answers_that_will_not_pass_are_answers() {
        for status in [200, 301, 400, 401, 404, 409, 500, 501] {
            assert_eq!(decided(attempt(1, Answer::Status(status))), Verdict::Stop(Why::Answered), "{status}");
        }
        for status in STATUSES {
            assert!(matches!(decided(attempt(1, Answer::Status(status))), Verdict::Again { .. }), "{status}");
        }
    }

    #[test]
    fn retry_after_is_waited_for_unless_it_is_too_long() {
        let told = |seconds| Attempt { retry_after: Some(seconds * SECOND), ..attempt(1, Answer::Status(503)) };
        assert_eq!(decided(told(20)), Verdict::Again { after: 20 * SECOND });
        assert_eq!(decided(told(0)), Verdict::Again { after: SECOND });
        assert_eq!(decided(told(31)), Verdict::Stop(Why::RetryAfter));
    }

    #[test]
    fn nothing_is_tried_that_could_not_end_in_time() {
        let left = |seconds| Attempt { left: Some(seconds * SECOND), ..attempt(2, Answer::Nothing) };
        assert_eq!(decided(left(2)), Verdict::Stop(Why::OutOfTime));
        assert_eq!(decided(left(3)), Verdict::Again { after: 2 * SECOND });
    }

    #[test]
    fn only_what_may_be_sent_twice_is() {
        assert_eq!(
            decided(Attempt { repeatable: false, ..attempt(1, Answer::Nothing) }),
            Verdict::Stop(Why::NotRepeatable)
        );
        let methods = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "CONNECT", "get"];
        let safe: Vec<_> = methods.into_iter().filter(|method| repeatable(method, false)).collect();
        assert_eq!(safe, methods[..6]);
        assert!(repeatable("POST", true));
    }

    #[test]
    fn what_was_never_going_to_be_repeated_costs_no_budget() {
        let (mut budget, now) = (Budget::new(BudgetPolicy { percent: 0, ..BudgetPolicy::default() }), Instant::now());
        let policy = Policy::default();
        for _ in 0..1000 {
            let _ = policy.decide(&attempt(1, Answer::Status(200)), &mut budget, now, 1.0);
        }
        let again = policy.decide(&attempt(1, Answer::Nothing), &mut budget, now, 1.0);
        assert!(matches!(again, Verdict::Again { .. }));
    }
}
