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

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::lifecycle::{Change, State};
use tokio::sync::watch;

/// The state of the service. Clones share it.
#[derive(Clone)]
pub struct Lifecycle {
    state: Arc<watch::Sender<State>>,
    sink: Arc<dyn Sink>,
}

impl Lifecycle {
    /// A service in [`State::Starting`] that reports its transitions to `sink`.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { state: Arc::new(watch::Sender::new(State::Starting)), sink }
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Makes the transition that `change` asks for; `None` where it changes nothing.
    pub fn apply(&self, change: Change) -> Option<State> {
        let mut from = None;
        self.state.send_if_modified(|state| {
            let Some(next) = state.after(change) else { return false };
            from = Some(std::mem::replace(state, next));
            true
        });
        let from = from?;
        let to = from.after(change)?;
        self.sink.emit(&Event::StateChanged { from, to });
        Some(to)
    }

    /// Follows the state. What was passed through between two looks is not seen.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<State> {
        self.state.subscribe()
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
