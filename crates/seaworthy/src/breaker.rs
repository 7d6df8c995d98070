//! A breaker for calls to others: after so many failures they are answered at once instead of made.
//!
//! [`Breaker`] guards anything that is async; [`BreakerLayer`] guards an HTTP client in a tower stack. What trips it, and how
//! it comes back, is a [`Policy`]; the transitions are described in [`seaworthy_core::breaker`].
//!
//! # Rules
//!
//! - A call that is dropped halfway gives its lease back and counts neither way.
//! - The answer of an open breaker takes no lock: one that everybody runs into is no bottleneck.
//! - Each change of state is an event for the sink.
//!
//! # In production
//!
//! One breaker a service, not one an endpoint: what fails is mostly the service, or the way to it. Where one client calls many
//! hosts, [`Breakers`] keeps one for each, in bounded memory.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use seaworthy::breaker::{Breaker, CallError, Policy};
//! use seaworthy::core::event::Nowhere;
//!
//! # async fn charge() -> Result<u32, std::io::Error> { Err(std::io::Error::other("no route")) }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let stripe = Breaker::new("stripe", Policy::stripe(), Arc::new(Nowhere));
//! for _ in 0..3 {
//!     assert!(matches!(stripe.call(charge()).await, Err(CallError::Failed(_))));
//! }
//! let refused = stripe.call(charge()).await.unwrap_err();
//! assert!(matches!(refused, CallError::Open(_)), "the fourth is not made");
//! # });
//! ```

mod fallback;
mod keyed;
mod layer;
#[cfg(test)]
mod model;
#[allow(clippy::duplicate_mod, reason = "the model checker reads the same file")]
mod shared;
mod statuses;
#[cfg(test)]
mod tests;

/// What threads share a breaker by.
mod threads {
    pub(super) use std::sync::Mutex;
    pub(super) use std::sync::atomic::AtomicU64;
}

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use seaworthy_core::backoff::Backoff;
use seaworthy_core::breaker::{Breaker as Policed, Decision, Permit, Transition};
pub use seaworthy_core::breaker::{
    Failures, Mode, OpenTime, Outcome, Percent, Policy, PolicyError, Rates, Slow, Snapshot, State, Totals, Window,
};
use seaworthy_core::event::{Event, Sink};

pub use fallback::Fallback;
pub use keyed::Breakers;
pub use layer::{BreakerFuture, BreakerLayer, BreakerService};
use shared::Shared;
pub use statuses::Statuses;

/// The breaker of one service. Clones share it.
#[derive(Clone)]
pub struct Breaker {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    shared: Shared,
    sink: Arc<dyn Sink>,
    /// How often it came to each state.
    transitions: [AtomicU64; 3],
}

/// The call was not made: the breaker is open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the breaker of {service} is open: try again in {retry_after:.1?}")]
#[non_exhaustive]
pub struct Open {
    /// The name of the breaker.
    pub service: Arc<str>,
    /// When a call may be made again.
    pub retry_after: Duration,
}

impl Open {
    /// For a `Retry-After` header: whole seconds, never too early.
    pub fn retry_after_seconds(&self) -> u32 {
        let seconds = self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0);
        u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
    }
}

/// Why [`Breaker::call`] has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// It was not made.
    #[error(transparent)]
    Open(Open),
    /// It was made, and failed. Its message and its sources are those of the error.
    #[error(transparent)]
    Failed(E),
}

impl Breaker {
    /// Closed. Its name is what metrics, events and answers call it.
    pub fn new(name: impl Into<Arc<str>>, policy: Policy, sink: Arc<dyn Sink>) -> Self {
        let shared = Shared::new(Policed::new(policy), now());
        Self { inner: Arc::new(Inner { name: name.into(), shared, transitions: Default::default(), sink }) }
    }

    /// What metrics, events and answers call it.
    pub fn name(&self) -> &Arc<str> {
        &self.inner.name
    }

    /// Leave to make one call, for whoever tells by himself how it ended.
    ///
    /// # Errors
    ///
    /// [`Open`] if the call must not be made.
    pub fn acquire(&self) -> Result<Lease, Open> {
        let admission = self.inner.shared.acquire(now());
        self.report(admission.transition);
        match admission.decision {
            Decision::Admitted(permit) => Ok(Lease { breaker: self.clone(), permit: Some(permit) }),
            Decision::Refused { retry_after } => Err(Open { service: self.inner.name.clone(), retry_after }),
        }
    }

    /// Awaits `call` unless the breaker is open. Each error of it is a failure.
    ///
    /// # Errors
    ///
    /// [`CallError`]: the call's own error, or that it was not made.
    pub async fn call<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, CallError<E>> {
        self.call_judged(call, |result| if result.is_ok() { Outcome::Success } else { Outcome::Failure }).await
    }

    /// As [`Breaker::call`], with a judgement of your own: a card that is declined is no failure of who declines it.
    ///
    /// # Errors
    ///
    /// [`CallError`]: the call's own error, or that it was not made.
    pub async fn call_judged<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        judge: impl FnOnce(&Result<T, E>) -> Outcome,
    ) -> Result<T, CallError<E>> {
        let lease = self.acquire().map_err(CallError::Open)?;
        let result = call.await;
        lease.finish(judge(&result));
        result.map_err(CallError::Failed)
    }

    /// What can be told of it now.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.shared.snapshot(now())
    }

    /// How often it came to `state`.
    pub fn transitions(&self, state: State) -> u64 {
        self.inner.transitions[place(state)].load(Ordering::Relaxed)
    }

    /// Closes it, and forgets what it saw. Whether it was not closed before.
    pub fn reset(&self) -> bool {
        let transition = self.inner.shared.reset();
        self.report(transition);
        transition.is_some()
    }

    /// Overrules its calls, or gives the decision back to them.
    pub fn set_mode(&self, mode: Mode) {
        if self.inner.shared.set_mode(mode) != mode {
            let service = self.inner.name.to_string();
            self.inner.sink.emit(&Event::BreakerOverruled { service, mode });
        }
    }

    fn finish(&self, permit: Permit, outcome: Outcome) {
        let transition = self.inner.shared.finish(permit, outcome, now(), fastrand::f64());
        self.report(transition);
    }

    /// Outside of the lock: a sink may look at the breaker that it is told of.
    fn report(&self, transition: Option<Transition>) {
        let Some(Transition { from, to, cause, open_for }) = transition else { return };
        self.inner.transitions[place(to)].fetch_add(1, Ordering::Relaxed);
        let (service, cause) = (self.inner.name.to_string(), cause.to_string());
        self.inner.sink.emit(&match to {
            State::Open => Event::BreakerOpened { service, from, cause, open_for: open_for.unwrap_or_default() },
            State::HalfOpen => Event::BreakerHalfOpen { service },
            State::Closed => Event::BreakerClosed { service, from, cause },
        });
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.inner.name).field("snapshot", &self.snapshot()).finish()
    }
}

/// Leave to make one call. Dropped, it goes back and says nothing.
#[derive(Debug)]
#[must_use]
pub struct Lease {
    breaker: Breaker,
    permit: Option<Permit>,
}

impl Lease {
    /// How the call ended.
    pub fn finish(mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            self.breaker.finish(permit, outcome);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.breaker.finish(permit, Outcome::Cancelled);
        }
    }
}

fn place(state: State) -> usize {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}

/// tokio's clock, so that a test that pauses it moves breakers, too.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
