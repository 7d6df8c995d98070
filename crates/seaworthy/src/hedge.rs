//! A second attempt beside one that is slow: the answer that comes first is the answer.
//!
//! [`Hedge::call`] does it for anything that is async; [`HedgeLayer`] does it for the requests of an HTTP client. When the second begins,
//! and of what there is one, is a [`Policy`]; see [`seaworthy_core::hedge`].
//!
//! # Rules
//!
//! - At most one more is in flight. The one that comes too late is dropped at once, and with it goes its lease of a breaker and its place in
//!   a bulkhead: both belong further in.
//! - A failure does not win while the other is still on its way: neither a status that a retry would pass over, nor a refusal of ours.
//!   Where both fail, the answer is that of the first.
//! - Second attempts and retries draw on one budget, that of the [`Retry`] that it is made of.
//! - The layer stands inside of a [`RetryLayer`](crate::retry::RetryLayer), whose bodies can be sent again; see
//!   [`RetryLayer::hedged`](crate::retry::RetryLayer::hedged).
//!
//! # In production
//!
//! Over HTTP/1 a call that is dropped costs its connection: the server sees its client leave. What it has done by then it has done.
//! A breaker hears nothing of the one that was dropped.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use seaworthy::core::event::Nowhere;
//! use seaworthy::hedge::{After, Hedge, Policy};
//! use seaworthy::retry::{self, Retry};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let retry = Retry::new("search", retry::Policy::default(), Arc::new(Nowhere));
//! let hedge = Hedge::new(Policy { after: After::Delay(Duration::from_millis(50)), ..Policy::default() }, retry);
//! let mut attempts = 0;
//! let found = hedge.call(|| {
//!     attempts += 1;
//!     let (attempt, takes) = (attempts, if attempts == 1 { 900 } else { 10 }); // the first meets a slow machine
//!     async move {
//!         tokio::time::sleep(Duration::from_millis(takes)).await;
//!         Ok::<_, std::io::Error>(attempt)
//!     }
//! });
//! assert_eq!(found.await.unwrap(), 2);
//! assert_eq!(hedge.counts().won, 1);
//! # });
//! ```

mod layer;
mod race;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use seaworthy_core::hedge::Hedge as Policed;
pub use seaworthy_core::hedge::{After, Methods, Percentile, PercentileError, Policy};
use tokio::time::Instant;

pub use layer::{HedgeFuture, HedgeLayer, HedgeService, Hedged};
use race::{Race, Second};

use crate::retry::Retry;

/// When a second attempt is begun, and the budget for it. Clones share what was seen, and the budget.
#[derive(Clone)]
pub struct Hedge {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Policy,
    retry: Retry,
    state: Mutex<State>,
}

struct State {
    policed: Policed,
    counts: Counts,
}

/// What can be told of a [`Hedge`]. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls that had a second attempt, or have one now.
    pub begun: u64,
    /// Calls whose answer was that of the second.
    pub won: u64,
    /// Calls whose second attempt came too late, failed, or was given up with the call.
    pub lost: u64,
    /// Calls that were slow and had none, since the budget was exhausted.
    pub exhausted: u64,
}

impl Hedge {
    /// Knows nothing yet. Drawn on is the budget of `retry`.
    pub fn new(policy: Policy, retry: Retry) -> Self {
        let state = State { policed: Policed::new(policy), counts: Counts::default() };
        Self { inner: Arc::new(Inner { policy, retry, state: Mutex::new(state) }) }
    }

    /// What metrics call it: as the retries whose budget it draws on.
    pub fn name(&self) -> &Arc<str> {
        self.inner.retry.name()
    }

    /// When a second attempt is begun, and of what.
    pub fn policy(&self) -> Policy {
        self.inner.policy
    }

    /// What became of second attempts so far.
    pub fn counts(&self) -> Counts {
        self.with(|state| state.counts)
    }

    /// Makes a call, and makes it once more beside itself if it is slow. Whoever calls has to know that it may be made twice at the same
    /// time. Counts as a call of its own for the budget.
    ///
    /// # Errors
    ///
    /// The error of the first attempt, where the second gave none or failed, too.
    pub async fn call<T, E, F>(&self, mut make: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.inner.retry.deposit();
        let first = make();
        Race::new(first, Some(Again(make)), self.clone()).await
    }

    /// After which time a call that begins now gets a second attempt.
    fn delay(&self) -> Option<Duration> {
        self.with(|state| state.policed.delay(Instant::now().into_std()))
    }

    /// A second attempt, where the budget allows one; it is counted either way.
    fn begin(&self) -> Option<Begun> {
        let begun = self.inner.retry.withdraw();
        self.with(|state| if begun { state.counts.begun += 1 } else { state.counts.exhausted += 1 });
        begun.then(|| Begun { hedge: self.clone(), won: false })
    }

    /// A call was answered after `took`.
    fn answered(&self, took: Duration) {
        self.with(|state| state.policed.answered(took, Instant::now().into_std()));
    }

    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge").field("policy", &self.policy()).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

/// A second attempt that was begun. Dropped before it has won, it has lost: so its end is counted once, however it comes.
struct Begun {
    hedge: Hedge,
    won: bool,
}

impl Begun {
    fn win(mut self) {
        self.won = true;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.hedge.with(|state| if self.won { state.counts.won += 1 } else { state.counts.lost += 1 });
    }
}

/// Makes a call again.
struct Again<M>(M);

impl<T, E, F, M> Second<F> for Again<M>
where
    F: Future<Output = Result<T, E>>,
    M: FnMut() -> F,
{
    fn poll_begin(&mut self, _: &mut Context<'_>) -> Poll<Option<F>> {
        Poll::Ready(Some((self.0)()))
    }

    fn is_failure(&self, answer: &Result<T, E>) -> bool {
        answer.is_err()
    }
}
