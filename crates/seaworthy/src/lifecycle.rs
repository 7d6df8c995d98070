//! The state of this process, shared by everything that answers differently in each.
//!
//! ```
//! use std::sync::Arc;
//! use seaworthy::core::{event::Nowhere, lifecycle::{Change, State}};
//! use seaworthy::lifecycle::Lifecycle;
//!
//! let life = Lifecycle::new(Arc::new(Nowhere));
//! assert_eq!(life.apply(Change::ProgramReady), Some(State::Ready));
//! assert_eq!(life.state(), State::Ready);
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::lifecycle::{Change, State, Traffic};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::watch;

/// The state of the service. Clones share it.
#[derive(Clone)]
pub struct Lifecycle {
    inner: Arc<Inner>,
}

struct Inner {
    state: watch::Sender<State>,
    /// The same for whoever must not take a lock: the state, and the two bits below.
    traffic: AtomicU8,
    changed: Arc<Notify>,
    sink: Arc<dyn Sink>,
}

/// An operator holds new requests.
const PAUSED: u8 = 1 << 7;
/// The service was ready before, so that Starting means coming back from a crash.
const WAS_READY: u8 = 1 << 6;
const STATE: u8 = WAS_READY - 1;

/// What to do with a request that arrives now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    pub traffic: Traffic,
    pub state: State,
    pub paused: bool,
    /// Starting, but for the second time at least.
    pub after_crash: bool,
}

impl Lifecycle {
    /// A service in [`State::Starting`] that reports its transitions to `sink`.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        let state = watch::Sender::new(State::Starting);
        let traffic = AtomicU8::new(State::Starting as u8);
        Self { inner: Arc::new(Inner { state, traffic, changed: Arc::default(), sink }) }
    }

    /// The state now. One load, no lock: for the path of every request.
    #[must_use]
    pub fn state(&self) -> State {
        Self::decode(self.inner.traffic.load(Ordering::Acquire)).state
    }

    /// What to do with a request that arrives now. One load, no lock.
    #[must_use]
    pub fn admission(&self) -> Admission {
        Self::decode(self.inner.traffic.load(Ordering::Acquire))
    }

    fn decode(bits: u8) -> Admission {
        let state = State::from_u8(bits & STATE).unwrap_or(State::Stopped);
        // A pause must not keep anyone from leaving.
        let paused = bits & PAUSED != 0 && !state.leaving();
        let traffic = if paused { Traffic::Hold } else { state.answers().traffic };
        Admission { traffic, state, paused, after_crash: state == State::Starting && bits & WAS_READY != 0 }
    }

    /// Makes the transition that `change` asks for; `None` where it changes nothing.
    pub fn apply(&self, change: Change) -> Option<State> {
        let mut transition = None;
        self.inner.state.send_if_modified(|state| {
            let Some(to) = state.after(change) else { return false };
            transition = Some((std::mem::replace(state, to), to));
            // Within the lock of the channel, so that the two cannot disagree for longer than this line.
            let was_ready = if to == State::Ready { WAS_READY } else { 0 };
            self.update(|bits| bits & !STATE | to as u8 | was_ready);
            true
        });
        let (from, to) = transition?;
        self.inner.changed.notify_waiters();
        self.inner.sink.emit(&Event::StateChanged { from, to });
        Some(to)
    }

    /// Holds new requests until [`Lifecycle::resume`]; those that run go on.
    pub fn pause(&self) {
        self.update(|bits| bits | PAUSED);
        self.inner.changed.notify_waiters();
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.update(|bits| bits & !PAUSED);
        self.inner.changed.notify_waiters();
    }

    fn update(&self, change: impl Fn(u8) -> u8) {
        let _ = self.inner.traffic.fetch_update(Ordering::AcqRel, Ordering::Acquire, |bits| Some(change(bits)));
    }

    /// Completes at the next transition, pause or resume after this call.
    pub fn changed(&self) -> OwnedNotified {
        self.inner.changed.clone().notified_owned()
    }

    /// Follows the state. What was passed through between two looks is not seen.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<State> {
        self.inner.state.subscribe()
    }

    /// Waits until the state is one that `wanted` accepts.
    pub async fn reached(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let mut follow = self.follow();
        // The sender lives as long as `self`, so the channel cannot close meanwhile.
        follow.wait_for(wanted).await.map_or(State::Stopped, |state| *state)
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle").field("state", &self.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Memory(Mutex<Vec<String>>);

    impl Sink for Memory {
        fn emit(&self, event: &Event) {
            self.0.lock().unwrap().push(event.to_string());
        }
    }

    #[tokio::test]
    async fn every_transition_is_reported_once_and_what_is_none_is_not() {
        let memory = Arc::new(Memory::default());
        let life = Lifecycle::new(memory.clone());
        assert_eq!(life.apply(Change::ProgramReady), Some(State::Ready));
        assert_eq!(life.apply(Change::ProgramReady), None);
        assert_eq!(life.apply(Change::StopAsked), Some(State::Draining));
        assert_eq!(*memory.0.lock().unwrap(), ["starting → ready", "ready → draining"]);
    }

    #[tokio::test]
    async fn whoever_waits_for_a_state_sees_it() {
        let life = Lifecycle::new(Arc::new(seaworthy_core::event::Nowhere));
        let waiting = tokio::spawn({
            let life = life.clone();
            async move { life.reached(|state| state.leaving()).await }
        });
        tokio::task::yield_now().await;
        life.apply(Change::StopAsked);
        assert_eq!(waiting.await.unwrap(), State::Draining);
    }
}
