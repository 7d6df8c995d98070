//! What is counted of facts: a number and the log line beside it come from the same event.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use seaworthy::core::event::{Ending, Event, Outcome};
use seaworthy::core::lifecycle::State;

/// Why the program was started again.
pub(super) const RESTARTS: [&str; 4] = ["exit", "signal", "hang", "not_ready"];

/// Every state, in the order of a life.
pub(super) const STATES: [State; 5] = [State::Starting, State::Ready, State::Draining, State::Stopping, State::Stopped];

/// Counts of facts, from any thread. None of them happens a request.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) graceful: AtomicU64,
    pub(super) forced: AtomicU64,
    pub(super) requests_cut: AtomicU64,
    pub(super) restarts: [AtomicU64; RESTARTS.len()],
    pub(super) reloads: AtomicU64,
    pub(super) reload_failures: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) accept_failures: AtomicU64,
    pub(super) workers_lost: AtomicU64,
    pub(super) app_up: AtomicU64,
    state: AtomicU8,
    /// What the last death, not yet followed by a restart, was due to: an index of [`RESTARTS`].
    death: Mutex<Option<usize>>,
    drain: Mutex<Drain>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Drain {
    #[default]
    Ahead,
    Since(Instant),
    Took(Duration),
}

impl Facts {
    pub(super) fn count(&self, event: &Event, now: Instant) {
        let one = |number: &AtomicU64| {
            number.fetch_add(1, Ordering::Relaxed);
        };
        match event {
            Event::StateChanged { to, .. } => self.state.store(*to as u8, Ordering::Relaxed),
            Event::StopBegan { .. } => *self.drain.lock().unwrap_or_else(PoisonError::into_inner) = Drain::Since(now),
            Event::StopEnded { outcome, took, requests_cut } => {
                *self.drain.lock().unwrap_or_else(PoisonError::into_inner) = Drain::Took(*took);
                self.requests_cut.fetch_add(u64::from(*requests_cut), Ordering::Relaxed);
                match outcome {
                    Outcome::Graceful => one(&self.graceful),
                    Outcome::Forced => one(&self.forced),
                }
            }
            Event::AppReady { .. } | Event::UpstreamReady { .. } => self.app_up.store(1, Ordering::Relaxed),
            Event::AppStopped { .. } | Event::UpstreamAbsent { .. } => self.app_up.store(0, Ordering::Relaxed),
            Event::AppHangs { .. } => self.died_of(2),
            Event::AppNotReady { .. } => self.died_of(3),
            Event::AppDied { ending, .. } => {
                self.app_up.store(0, Ordering::Relaxed);
                self.died_of(usize::from(matches!(ending, Ending::Signalled(_))));
            }
            Event::AppRestarting { .. } => {
                let death = self.death.lock().unwrap_or_else(PoisonError::into_inner).take();
                one(&self.restarts[death.unwrap_or(0)]);
            }
            Event::ConfigReloaded { .. } => one(&self.reloads),
            Event::ConfigRefused { .. } => one(&self.reload_failures),
            Event::Panicked { .. } => one(&self.panics),
            Event::AcceptFailed { .. } => one(&self.accept_failures),
            Event::WorkerLost { .. } => one(&self.workers_lost),
            _ => {}
        }
    }

    /// The first cause stands: what hung is then killed, and dies of a signal.
    fn died_of(&self, cause: usize) {
        self.death.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
    }

    pub(super) fn state(&self) -> State {
        State::from_u8(self.state.load(Ordering::Relaxed)).unwrap_or(State::Starting)
    }

    /// How long the drain takes so far, or took; nothing before it.
    pub(super) fn drain(&self, now: Instant) -> Duration {
        match *self.drain.lock().unwrap_or_else(PoisonError::into_inner) {
            Drain::Ahead => Duration::ZERO,
            Drain::Since(began) => now.saturating_duration_since(began),
            Drain::Took(took) => took,
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy::core::lifecycle::Cause;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_restart_is_counted_by_what_began_it() {
        let (facts, now) = (Facts::default(), Instant::now());
        let restarting = Event::AppRestarting { delay: SECOND, deaths: 1 };
        let died = |ending| Event::AppDied { pid: 1, ending, uptime: SECOND };
        for event in [
            Event::AppHangs { pid: 1, failures: 3 },
            died(Ending::Signalled(9)),
            restarting.clone(),
            died(Ending::Signalled(11)),
            restarting.clone(),
            died(Ending::Exited(0)),
            restarting,
        ] {
            facts.count(&event, now);
        }
        assert_eq!(facts.restarts.map(AtomicU64::into_inner), [1, 1, 1, 0]);
    }

    #[test]
    fn a_drain_is_seen_while_it_lasts() {
        let (facts, start) = (Facts::default(), Instant::now());
        assert_eq!(facts.drain(start), Duration::ZERO);
        facts.count(&Event::StopBegan { cause: Cause::Sigterm }, start);
        assert_eq!(facts.drain(start + 3 * SECOND), 3 * SECOND);
        facts.count(&Event::StopEnded { outcome: Outcome::Graceful, took: 5 * SECOND, requests_cut: 0 }, start);
        assert_eq!(facts.drain(start + 60 * SECOND), 5 * SECOND);
    }
}
