//! A breaker for each authority, in bounded memory.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::uri::Authority;
use seaworthy_core::event::Sink;

use super::{Breaker, Mode, Policy, Snapshot, State, now};

/// The breakers of many hosts that one client calls. Clones share them.
///
/// When there are as many as may be, the one that was closed and not asked for the longest makes room; where none is closed,
/// further authorities share one breaker, called `NAME/other`.
#[derive(Clone)]
pub struct Breakers {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    policy: Policy,
    most: NonZeroUsize,
    known: Mutex<HashMap<Authority, Known>>,
    other: Breaker,
    sink: Arc<dyn Sink>,
}

struct Known {
    breaker: Breaker,
    asked: Instant,
}

impl Breakers {
    /// At most `most` of them, besides the one for the rest.
    pub fn new(name: impl Into<Arc<str>>, policy: Policy, most: NonZeroUsize, sink: Arc<dyn Sink>) -> Self {
        let name = name.into();
        let other = Breaker::new(format!("{name}/other"), policy, sink.clone());
        Self { inner: Arc::new(Inner { name, policy, most, known: Mutex::default(), other, sink }) }
    }

    /// The breaker of `authority`.
    pub fn of(&self, authority: &Authority) -> Breaker {
        let now = now();
        let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get_mut(authority) {
            found.asked = now;
            return found.breaker.clone();
        }
        if known.len() >= self.inner.most.get() {
            // One that is open must be remembered, and one that is half-open has leases out.
            let idle = known.iter().filter(|(_, known)| {
                let Snapshot { state, mode, .. } = known.breaker.snapshot();
                state == State::Closed && mode == Mode::Automatic
            });
            let Some(oldest) = idle.min_by_key(|(_, known)| known.asked).map(|(authority, _)| authority.clone()) else {
                return self.inner.other.clone();
            };
            known.remove(&oldest);
        }
        let Inner { name, policy, sink, .. } = &*self.inner;
        let breaker = Breaker::new(format!("{name}/{authority}"), *policy, sink.clone());
        known.insert(authority.clone(), Known { breaker: breaker.clone(), asked: now });
        breaker
    }

    /// The breaker of what has no authority, or no room.
    pub(super) fn other(&self) -> &Breaker {
        &self.inner.other
    }

    /// All that there are.
    pub fn all(&self) -> Vec<Breaker> {
        let known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|known| known.breaker.clone()).chain([self.inner.other.clone()]).collect()
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
