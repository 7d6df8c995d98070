//! What is counted of facts: a number and the log line beside it come from the same event.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use seaworthy_core::event::{Event, Outcome};
use seaworthy_core::lifecycle::State;
use seaworthy_core::metric::Exposition;
use seaworthy_core::metric::Kind::{Counter, Gauge};

use super::lock;

/// Every state, in the order of a life.
const STATES: [State; 5] = [State::Starting, State::Ready, State::Draining, State::Stopping, State::Stopped];

/// Counts of facts, from any thread. None of them happens a request.
#[derive(Debug, Default)]
pub(super) struct Facts {
    graceful: AtomicU64,
    forced: AtomicU64,
    requests_cut: AtomicU64,
    panics: AtomicU64,
    accept_failures: AtomicU64,
    state: AtomicU8,
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
            Event::StopBegan { .. } => *lock(&self.drain) = Drain::Since(now),
            Event::StopEnded { outcome, took, requests_cut } => {
                *lock(&self.drain) = Drain::Took(*took);
                self.requests_cut.fetch_add(u64::from(*requests_cut), Ordering::Relaxed);
                match outcome {
                    Outcome::Graceful => one(&self.graceful),
                    Outcome::Forced => one(&self.forced),
                }
            }
            Event::Panicked { .. } => one(&self.panics),
            Event::AcceptFailed { .. } => one(&self.accept_failures),
            _ => {}
        }
    }

    pub(super) fn write(&self, page: &mut Exposition, now: Instant) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        page.family("graceful_shutdowns_total", Counter, "Shutdowns, by whether their time sufficed.")
            .sample(&[("outcome", "graceful")], read(&self.graceful))
            .sample(&[("outcome", "forced")], read(&self.forced));
        page.family("drain_duration_seconds", Gauge, "How long the shutdown takes so far, or took; 0 before it.")
            .sample(&[], self.drain(now));
        page.family("seaworthy_requests_cut_total", Counter, "Requests that a shutdown cut.")
            .sample(&[], read(&self.requests_cut));
        page.family("seaworthy_accept_failures_total", Counter, "Times connections could not be accepted.")
            .sample(&[], read(&self.accept_failures));
        page.family("seaworthy_panics_total", Counter, "Panics that were caught.").sample(&[], read(&self.panics));
        let state = State::from_u8(self.state.load(Ordering::Relaxed)).unwrap_or(State::Starting);
        let mut family = page.family("seaworthy_lifecycle_state", Gauge, "1 for the state that the service is in.");
        for known in STATES {
            family.sample(&[("state", known.name())], known == state);
        }
    }

    /// How long the drain takes so far, or took; nothing before it.
    fn drain(&self, now: Instant) -> Duration {
        match *lock(&self.drain) {
            Drain::Ahead => Duration::ZERO,
            Drain::Since(began) => now.saturating_duration_since(began),
            Drain::Took(took) => took,
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::lifecycle::Cause;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

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
