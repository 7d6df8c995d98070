//! The state of this process, shared by everything that answers differently in each; and what begins its end.
//!
//! A service takes [`Lifecycle::from_signals`] first thing in `main`, hands clones to whatever must know of the end, and the lifecycle
//! itself to [`Production::serve`](crate::Production::serve):
//!
//! - SIGTERM, SIGINT and SIGHUP begin the drain. A repeat within a second is the echo that npm, make and foreman make of one
//!   Ctrl-C; a later one forces the end.
//! - [`Lifecycle::stop`] begins it for any other cause.
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
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::lifecycle::{Cause, Change, State, Traffic};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::watch;

use crate::background::Beacons;
use crate::sink::Relay;

mod signals;
#[cfg(test)]
mod tests;

pub use signals::SignalsError;

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
    /// The same sink, where its consumer is still to be named.
    relay: Option<Relay>,
    /// Somebody has asked for the end, and is about to say so.
    asked: AtomicBool,
    stop: watch::Sender<Stop>,
    beacons: Beacons,
    signals: OnceLock<Arc<SignalsError>>,
}

/// What was asked of the end.
#[derive(Debug, Clone, Copy, Default)]
struct Stop {
    cause: Option<Cause>,
    forced: bool,
}

/// An operator holds new requests.
const PAUSED: u8 = 1 << 7;
/// The service was ready before, so that Starting means coming back from a crash.
const WAS_READY: u8 = 1 << 6;
const STATE: u8 = WAS_READY - 1;

/// What to do with a request that arrives now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Admission {
    /// What becomes of a request.
    pub traffic: Traffic,
    /// The state that says so.
    pub state: State,
    /// Whether somebody paused it.
    pub paused: bool,
    /// Starting, but for the second time at least.
    pub after_crash: bool,
}

impl Lifecycle {
    /// A service in [`State::Starting`] that reports its transitions to `sink`.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self::with(sink, None)
    }

    fn with(sink: Arc<dyn Sink>, relay: Option<Relay>) -> Self {
        let inner = Inner {
            state: watch::Sender::new(State::Starting),
            traffic: AtomicU8::new(State::Starting as u8),
            changed: Arc::default(),
            sink,
            relay,
            asked: AtomicBool::new(false),
            stop: watch::Sender::default(),
            beacons: Beacons::default(),
            signals: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A service that SIGTERM, SIGINT and SIGHUP ask to stop, from now on. Its facts are kept until
    /// [`Production::serve`](crate::Production::serve) says where they go.
    ///
    /// Must be called within a tokio runtime; that it was not, or that the system refused a handler, is an error of `serve`.
    #[must_use]
    pub fn from_signals() -> Self {
        let life = Self::default();
        if let Err(error) = signals::follow(&life) {
            // Nobody else sets it.
            let _ = life.inner.signals.set(Arc::new(error));
        }
        life
    }

    /// Why signals are not followed, although they should be.
    pub fn signals_error(&self) -> Option<Arc<SignalsError>> {
        self.inner.signals.get().cloned()
    }

    /// Where facts of this process go: for what reports some and is made before anything is served, such as breakers, retries and pools. What
    /// they say before [`Production::serve`](crate::Production::serve) is kept for its log, its metrics and its hooks.
    ///
    /// ```
    /// use seaworthy::Lifecycle;
    /// use seaworthy::breaker::{Breaker, Policy};
    ///
    /// let life = Lifecycle::default();
    /// let stripe = Breaker::new("stripe", Policy::stripe(), life.sink());
    /// ```
    #[must_use]
    pub fn sink(&self) -> Arc<dyn Sink> {
        self.inner.sink.clone()
    }

    /// Says where facts go that were waiting for somebody to take them. Only of one that was made without a sink.
    pub(crate) fn report_to(&self, sink: &Arc<dyn Sink>) {
        if let Some(relay) = &self.inner.relay {
            relay.attach(sink);
        }
    }

    pub(crate) fn beacons(&self) -> &Beacons {
        &self.inner.beacons
    }

    /// Begins the drain: readiness is withdrawn when this returns. Gives whether it did; of several causes the first one
    /// counts.
    pub fn stop(&self, cause: Cause) -> bool {
        let first = !self.inner.asked.swap(true, Ordering::AcqRel);
        if first {
            self.inner.sink.emit(&Event::StopBegan { cause });
            self.apply(Change::StopAsked);
            // Last: whoever waits for it goes on at once, on another thread, and says what comes next.
            self.inner.stop.send_modify(|stop| stop.cause = Some(cause));
        }
        first
    }

    /// Ends what is left of the drain: requests are cut, hooks given up. Begins it as well, where nobody had.
    pub fn force(&self, cause: Cause) {
        self.stop(cause);
        let news = self.inner.stop.send_if_modified(|stop| !std::mem::replace(&mut stop.forced, true));
        if news {
            self.inner.sink.emit(&Event::StopForced);
        }
    }

    /// Completes when the drain was begun by [`Lifecycle::stop`] or a signal, and says why.
    pub async fn stop_asked(&self) -> Cause {
        loop {
            // The sender lives as long as `self`, so the channel cannot close meanwhile.
            let stop = self.inner.stop.subscribe().wait_for(|stop| stop.cause.is_some()).await.map(|stop| *stop);
            if let Ok(Stop { cause: Some(cause), .. }) = stop {
                return cause;
            }
        }
    }

    /// Completes when somebody does not want to wait any more.
    pub async fn forced(&self) {
        // As above.
        let _ = self.inner.stop.subscribe().wait_for(|stop| stop.forced).await;
    }

    /// Whether somebody does not want to wait any more.
    pub fn is_forced(&self) -> bool {
        self.inner.stop.borrow().forced
    }

    /// The state now. One load, no lock: for the path of every request.
    #[must_use]
    pub fn state(&self) -> State {
        Self::decode(self.inner.traffic.load(Ordering::Acquire)).state
    }

    /// What to do with a request that arrives now. One load, no lock.
    #[must_use]
    #[doc(hidden)]
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
    #[doc(hidden)]
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

/// A lifecycle without signals, for tests and for services that something else stops; its facts are kept until
/// [`Production::serve`](crate::Production::serve) says where they go.
impl Default for Lifecycle {
    fn default() -> Self {
        let relay = Relay::default();
        Self::with(Arc::new(relay.clone()), Some(relay))
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle").field("state", &self.state()).finish_non_exhaustive()
    }
}
