//! A bound on the calls to one service: so many run at once, so many wait, and the rest are refused at once.
//!
//! [`Bulkhead::enter`] guards anything that is async; [`BulkheadLayer`] guards an HTTP client. How many is a [`Policy`]; see
//! [`seaworthy_core::bulkhead`].
//!
//! # Example
//!
//! ```
//! use std::num::NonZeroU32;
//! use std::sync::Arc;
//! use seaworthy::bulkhead::{Bulkhead, Policy};
//! use seaworthy::core::event::Nowhere;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let policy = Policy { concurrency: NonZeroU32::MIN, queue: 0, ..Policy::default() };
//! let reports = Bulkhead::new("reports", policy, Arc::new(Nowhere));
//! let place = reports.enter().await?;
//! assert!(reports.enter().await.is_err(), "one at a time, and nobody waits");
//! drop(place);
//! assert!(reports.enter().await.is_ok());
//! # Ok::<(), seaworthy::bulkhead::Full>(()) }).unwrap();
//! ```

mod layer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use seaworthy_core::bulkhead::Decision;
pub use seaworthy_core::bulkhead::{Occupancy, Policy};
use seaworthy_core::event::{Event, Sink};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep};

pub use layer::{BulkheadFuture, BulkheadLayer, BulkheadService};

/// That it is full is said at most so often.
const QUIET: Duration = Duration::from_secs(10);

/// Places for the calls to one service. Clones share them.
#[derive(Clone)]
pub struct Bulkhead {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    policy: Policy,
    state: Mutex<State>,
    freed: Arc<Notify>,
    sink: Arc<dyn Sink>,
}

#[derive(Debug, Default)]
struct State {
    now: Occupancy,
    refused: u64,
    said: Option<Instant>,
}

/// The call was not made: as many run and wait as may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{running} calls to {service} run and {waiting} wait, which is as many as may")]
#[non_exhaustive]
pub struct Full {
    /// The name of the bulkhead.
    pub service: Arc<str>,
    /// Calls that run.
    pub running: u32,
    /// Calls that wait for a place.
    pub waiting: u32,
}

impl Bulkhead {
    /// Empty. Its name is what events call it.
    pub fn new(name: impl Into<Arc<str>>, policy: Policy, sink: Arc<dyn Sink>) -> Self {
        let inner = Inner { name: name.into(), policy, state: Mutex::default(), freed: Arc::default(), sink };
        Self { inner: Arc::new(inner) }
    }

    /// A place, as soon as there is one. Whoever waited goes before whoever comes.
    ///
    /// # Errors
    ///
    /// [`Full`], if as many wait as may, or none became free within [`Policy::patience`].
    pub fn enter(&self) -> Entering {
        let decision = self.with(|state| {
            let decision = self.inner.policy.decide(state.now);
            match decision {
                Decision::Run => state.now.running += 1,
                Decision::Wait => state.now.waiting += 1,
                Decision::Refuse => {}
            }
            decision
        });
        let state = match decision {
            Decision::Run => EnteringState::Entered { place: Some(Place { bulkhead: self.clone() }) },
            Decision::Refuse => EnteringState::Refused { bulkhead: self.clone() },
            Decision::Wait => EnteringState::Queued {
                freed: self.inner.freed.clone().notified_owned(),
                patience: sleep(self.inner.policy.patience),
                waiting: Waiting { bulkhead: Some(self.clone()) },
            },
        };
        Entering { state }
    }

    /// Who is there now.
    pub fn occupancy(&self) -> Occupancy {
        self.with(|state| state.now)
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.with(|state| state.refused)
    }

    fn full(&self) -> Full {
        let now = Instant::now();
        let (Occupancy { running, waiting }, say) = self.with(|state| {
            state.refused += 1;
            let say = state.said.is_none_or(|said| now.duration_since(said) >= QUIET);
            if say {
                state.said = Some(now);
            }
            (state.now, say)
        });
        let service = self.inner.name.clone();
        if say {
            self.inner.sink.emit(&Event::BulkheadFull { service: service.to_string(), running, waiting });
        }
        Full { service, running, waiting }
    }

    /// From waiting to running, where there is a place.
    fn promote(&self) -> bool {
        self.with(|state| {
            let free = state.now.running < self.inner.policy.concurrency.get();
            if free {
                state.now.running += 1;
                state.now.waiting -= 1;
            }
            free
        })
    }

    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead").field("name", &self.inner.name).field("occupancy", &self.occupancy()).finish()
    }
}

/// A place for one call. Dropped, it is free.
#[derive(Debug)]
#[must_use]
pub struct Place {
    bulkhead: Bulkhead,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bulkhead.with(|state| state.now.running -= 1);
        self.bulkhead.inner.freed.notify_one();
    }
}

/// One in the queue. Dropped, it has left it.
#[derive(Debug)]
struct Waiting {
    /// `None` once it has a place.
    bulkhead: Option<Bulkhead>,
}

impl Waiting {
    /// A place, if there is one.
    fn enter(&mut self) -> Option<Place> {
        let bulkhead = self.bulkhead.take_if(|bulkhead| bulkhead.promote())?;
        Some(Place { bulkhead })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bulkhead) = &self.bulkhead {
            bulkhead.with(|state| state.now.waiting -= 1);
        }
    }
}

pin_project_lite::pin_project! {
    /// The result of [`Bulkhead::enter`]. Dropped, it leaves the queue.
    #[derive(Debug)]
    #[must_use = "nobody enters before it is polled"]
    pub struct Entering {
        #[pin]
        state: EnteringState,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = EnteringProjection]
    enum EnteringState {
        Entered { place: Option<Place> },
        Refused { bulkhead: Bulkhead },
        Queued { #[pin] freed: OwnedNotified, #[pin] patience: Sleep, waiting: Waiting },
    }
}

impl Future for Entering {
    type Output = Result<Place, Full>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let bulkhead = match this.state.as_mut().project() {
            EnteringProjection::Entered { place } => {
                return Poll::Ready(Ok(place.take().expect("a future is not polled after it was ready")));
            }
            EnteringProjection::Refused { bulkhead } => return Poll::Ready(Err(bulkhead.full())),
            EnteringProjection::Queued { mut freed, patience, waiting } => loop {
                let woken = freed.as_mut().poll(cx).is_ready();
                // Asked after this one is registered, so that no place becomes free unseen in between.
                if let Some(place) = waiting.enter() {
                    return Poll::Ready(Ok(place));
                }
                let Some(bulkhead) = &waiting.bulkhead else { return Poll::Pending };
                if woken {
                    freed.set(bulkhead.inner.freed.clone().notified_owned());
                    continue;
                }
                if patience.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                break bulkhead.clone();
            },
        };
        // Out of the queue before it is told how many wait in it.
        this.state.set(EnteringState::Entered { place: None });
        Poll::Ready(Err(bulkhead.full()))
    }
}
