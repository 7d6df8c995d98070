//! Starting → Ready → Draining → Stopping → Stopped: the states of a service, and what each of them answers.
//!
//! # Rules
//!
//! - There is one transition function, [`State::after`]; what it does not list does not happen.
//! - While draining, the listener is open and requests are served: a balancer still sends some, because the removal of
//!   an endpoint and the signal to its process run in parallel (Kubernetes, "Pod lifecycle: Termination of Pods").
//! - Liveness holds until the end. A failing liveness probe gets a process killed in the middle of its drain.
//!
//! # Example
//!
//! ```
//! use seaworthy_core::lifecycle::{Change, State, Traffic};
//!
//! let state = State::Starting.after(Change::ProgramReady).expect("a start ends in Ready");
//! assert_eq!(state.answers().traffic, Traffic::Serve);
//! let state = state.after(Change::StopAsked).expect("Ready can be asked to stop");
//! assert!(state.answers().live && !state.answers().ready);
//! ```

mod budget;
mod signal;

pub use budget::{Budget, BudgetError, FLUSH, Parts};
pub use signal::{Repeats, Urgency};

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// The program is not ready yet, or died and is being started again.
    Starting,
    /// Requests are served.
    Ready,
    /// Readiness is withdrawn, the listener still open.
    Draining,
    /// Listeners are closed, what is in flight ends, then the program.
    Stopping,
    /// Nothing runs any more; only the exit is left.
    Stopped,
}

/// What moves a service from one state to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The program accepts requests.
    ProgramReady,
    /// The program ended although nobody asked it to.
    ProgramDied,
    /// A signal, a command or a fault began the drain.
    StopAsked,
    /// The drain's delay is over, or was cut short: listeners close.
    DelayOver,
    /// The program and everything else has ended.
    Ended,
}

impl State {
    /// The state after `change`, or `None` where it changes nothing.
    #[must_use]
    pub fn after(self, change: Change) -> Option<Self> {
        use Change::{DelayOver, Ended, ProgramDied, ProgramReady, StopAsked};
        use State::{Draining, Ready, Starting, Stopped, Stopping};
        match (self, change) {
            // The start completes; a program that is back after a crash does the same.
            (Starting, ProgramReady) => Some(Ready),
            // A crash: still live, because a restart is under way.
            (Ready, ProgramDied) => Some(Starting),
            // A stop is taken from everywhere, during the start too.
            (Starting | Ready, StopAsked) => Some(Draining),
            // The balancer has had its time.
            (Draining, DelayOver) => Some(Stopping),
            // The end may come early: a program that gave up, a forced stop.
            (Starting | Ready | Draining | Stopping, Ended) => Some(Stopped),
            // A program that dies during its own stop was told to; one that gets ready too late is not needed.
            (Ready | Draining | Stopping | Stopped, ProgramReady)
            | (Starting | Draining | Stopping | Stopped, ProgramDied)
            | (Draining | Stopping | Stopped, StopAsked)
            | (Starting | Ready | Stopping | Stopped, DelayOver)
            | (Stopped, Ended) => None,
        }
    }

    /// What probes and clients are told in this state.
    #[must_use]
    pub fn answers(self) -> Answers {
        let (startup, live, ready, traffic) = match self {
            Self::Starting => (false, true, false, Traffic::Hold),
            Self::Ready => (true, true, true, Traffic::Serve),
            Self::Draining | Self::Stopping => (true, true, false, Traffic::Farewell),
            Self::Stopped => (true, false, false, Traffic::Refuse),
        };
        Answers { startup, live, ready, traffic }
    }

    /// Whether the stop has begun.
    #[must_use]
    pub fn leaving(self) -> bool {
        self >= Self::Draining
    }

    /// The name in logs, metrics and probe bodies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// The state with this discriminant, for those who keep it in an atomic.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::Starting, Self::Ready, Self::Draining, Self::Stopping, Self::Stopped].get(usize::from(number)).copied()
    }
}

/// What a state answers by itself; checks can only make `ready` worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    pub startup: bool,
    pub live: bool,
    pub ready: bool,
    pub traffic: Traffic,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Kept waiting for a bounded time, then answered 503.
    Hold,
    /// Served.
    Serve,
    /// Served, and the client is told to leave the connection.
    Farewell,
    /// Answered 503.
    Refuse,
}

/// Why a drain began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    Sigterm,
    Sigint,
    /// The controlling terminal went away.
    Sighup,
    /// `seaworthy drain`.
    Command,
    /// The program ended, cleanly, and is not to be restarted.
    ProgramEnded,
    /// The program died too often.
    GaveUp,
    /// The program, or what it depends on, did not come up.
    StartFailed,
    /// A part of ours failed and cannot be repaired while running.
    Fault,
    /// A worker thread was lost.
    WorkerLost,
}

impl Cause {
    /// As it reads at the start of "… received, starting graceful shutdown".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigterm => "SIGTERM",
            Self::Sigint => "SIGINT",
            Self::Sighup => "SIGHUP",
            Self::Command => "drain command",
            Self::ProgramEnded => "end of the program",
            Self::GaveUp => "giving up on the program",
            Self::StartFailed => "failure to start",
            Self::Fault => "fault",
            Self::WorkerLost => "loss of a worker",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 5] = [State::Starting, State::Ready, State::Draining, State::Stopping, State::Stopped];
    const CHANGES: [Change; 5] =
        [Change::ProgramReady, Change::ProgramDied, Change::StopAsked, Change::DelayOver, Change::Ended];

    #[test]
    fn only_a_crash_leads_backwards() {
        for state in STATES {
            for change in CHANGES {
                let Some(next) = state.after(change) else { continue };
                assert!(next > state || (state, change) == (State::Ready, Change::ProgramDied), "{state:?} {change:?}");
            }
        }
    }

    #[test]
    fn a_service_is_live_until_it_has_stopped() {
        for state in STATES {
            assert_eq!(state.answers().live, state != State::Stopped, "{state:?}");
        }
    }

    #[test]
    fn readiness_is_withdrawn_while_the_listener_still_serves() {
        let answers = State::Draining.answers();
        assert!(!answers.ready);
        assert_eq!(answers.traffic, Traffic::Farewell);
    }

    #[test]
    fn a_stop_during_the_start_is_taken() {
        assert_eq!(State::Starting.after(Change::StopAsked), Some(State::Draining));
    }

    #[test]
    fn a_program_that_gets_ready_during_the_drain_does_not_undo_it() {
        assert_eq!(State::Draining.after(Change::ProgramReady), None);
    }

    #[test]
    fn the_number_of_a_state_leads_back_to_it() {
        for state in STATES {
            assert_eq!(State::from_u8(state as u8), Some(state));
        }
        assert_eq!(State::from_u8(5), None);
    }
}
