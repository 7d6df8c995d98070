//! Calls that are tried again, with a growing wait and within a budget.
//!
//! [`Retry::call`] and [`retry`] repeat anything that is async; [`RetryLayer`] repeats the requests of an HTTP client. What is
//! repeated, and when, is a [`Policy`]; see [`seaworthy_core::retry`].
//!
//! # Rules
//!
//! - The layer repeats idempotent requests and those with an `Idempotency-Key`, and only if their body fits into
//!   [`RetryLayer::buffer`]: it is read whole before the first attempt. A body of unknown length is streamed, and never repeated.
//! - A refusal of ours, as that of an open breaker, is an answer: to repeat it would not help anybody.
//! - The budget is of the [`Retry`], which all its clones share.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use seaworthy::core::{backoff::Backoff, event::Nowhere};
//! use seaworthy::retry::{Policy, Retry, retry};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let policy = Retry::new("mail", Policy::default(), Arc::new(Nowhere)); // 3 retries, after up to 1 s, 2 s, 4 s
//! let mut attempts = 0;
//! let sent = retry(&policy, || {
//!     attempts += 1;
//!     let result = if attempts < 3 { Err("greylisted") } else { Ok("sent") };
//!     async move { result }
//! });
//! assert_eq!(sent.await, Ok("sent"));
//! # });
//! ```

mod after;
mod body;
mod layer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::retry::Budget;
pub use seaworthy_core::retry::{Answer, Attempt, BudgetPolicy, Policy, STATUSES, Verdict, Why, repeatable};

pub use after::retry_after;
pub use body::RetryBody;
pub use layer::{Attempts, RetryFuture, RetryLayer, RetryService};

/// That the budget is exhausted is said at most so often.
const QUIET: Duration = Duration::from_secs(10);

/// What is tried again, and the budget for it. Clones share the budget.
#[derive(Clone)]
pub struct Retry {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    policy: Policy,
    state: Mutex<State>,
    sink: Arc<dyn Sink>,
}

struct State {
    budget: Budget,
    exhausted: u64,
    retries: u64,
    said: Option<Instant>,
}

impl State {
    /// Whether it has been quiet for long enough to say that the budget is exhausted.
    fn is_worth_saying(&mut self, now: Instant) -> bool {
        let say = self.said.is_none_or(|said| now.saturating_duration_since(said) >= QUIET);
        if say {
            self.said = Some(now);
        }
        say
    }
}

/// What can be told of a [`Retry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls that were tried again.
    pub retries: u64,
    /// Calls that were not, since the budget was exhausted.
    pub exhausted: u64,
}

impl Retry {
    /// Within the default budget: 20% of the calls, and 3 a second at least. Its name is what events call it.
    pub fn new(name: impl Into<Arc<str>>, policy: Policy, sink: Arc<dyn Sink>) -> Self {
        Self::within(BudgetPolicy::default(), name, policy, sink)
    }

    /// Within a budget of your own.
    pub fn within(budget: BudgetPolicy, name: impl Into<Arc<str>>, policy: Policy, sink: Arc<dyn Sink>) -> Self {
        let state = State { budget: Budget::new(budget), exhausted: 0, retries: 0, said: None };
        Self { inner: Arc::new(Inner { name: name.into(), policy, state: Mutex::new(state), sink }) }
    }

    /// What is tried again, and how often.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// What became of retries so far.
    pub fn counts(&self) -> Counts {
        self.with(|state| Counts { retries: state.retries, exhausted: state.exhausted })
    }

    /// What events and metrics call it.
    pub fn name(&self) -> &Arc<str> {
        &self.inner.name
    }

    /// Makes a call, and again while it fails, `again` says so of its error, and the policy allows it. Whoever calls has to
    /// know that the call may be repeated.
    ///
    /// # Errors
    ///
    /// The error of the last attempt.
    pub async fn call<T, E, F>(&self, again: impl Fn(&E) -> bool, mut make: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.deposit();
        let mut number = 1;
        loop {
            let error = match make().await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let repeatable = again(&error);
            let attempt = Attempt { number, repeatable, answer: Answer::Nothing, retry_after: None, left: None };
            match self.decide(&attempt) {
                Verdict::Again { after } => tokio::time::sleep(after).await,
                Verdict::Stop(_) => return Err(error),
            }
            number += 1;
        }
    }

    /// Counts a call that is no repetition.
    pub(crate) fn deposit(&self) {
        self.with(|state| state.budget.deposit(now()));
    }

    /// Whether one more repetition fits into the budget, which is then taken.
    pub(crate) fn withdraw(&self) -> bool {
        let now = now();
        let (withdrawn, say) = self.with(|state| {
            let withdrawn = state.budget.withdraw(now);
            (withdrawn, !withdrawn && state.is_worth_saying(now))
        });
        self.say_exhausted(say);
        withdrawn
    }

    fn decide(&self, attempt: &Attempt) -> Verdict {
        let now = now();
        let (verdict, say) = self.with(|state| {
            let verdict = self.inner.policy.decide(attempt, &mut state.budget, now, fastrand::f64());
            let mut say = false;
            match verdict {
                Verdict::Again { .. } => state.retries += 1,
                Verdict::Stop(Why::BudgetExhausted) => {
                    state.exhausted += 1;
                    say = state.is_worth_saying(now);
                }
                Verdict::Stop(_) => {}
            }
            (verdict, say)
        });
        self.say_exhausted(say);
        verdict
    }

    /// Outside of the lock: a sink may look at the retries that it is told of.
    fn say_exhausted(&self, say: bool) {
        if say {
            self.inner.sink.emit(&Event::RetryBudgetExhausted { service: self.inner.name.to_string() });
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("name", &self.inner.name).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

/// [`Retry::call`] for calls of which every error may pass.
///
/// # Errors
///
/// The error of the last attempt.
pub async fn retry<T, E, F>(policy: &Retry, make: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    policy.call(|_| true, make).await
}

/// tokio's clock, so that a test that pauses it moves budgets, too.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
