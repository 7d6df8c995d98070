//! What is counted of facts that only the binary knows; the library counts the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use seaworthy::core::event::{Ending, Event};

use super::lock;

/// Why the program was started again.
pub(super) const RESTARTS: [&str; 4] = ["exit", "signal", "hang", "not_ready"];

/// Counts of facts, from any thread. None of them happens a request.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) restarts: [AtomicU64; RESTARTS.len()],
    pub(super) reloads: AtomicU64,
    pub(super) reload_failures: AtomicU64,
    pub(super) workers_lost: AtomicU64,
    pub(super) app_up: AtomicU64,
    /// What the last death, not yet followed by a restart, was due to: an index of [`RESTARTS`].
    death: Mutex<Option<usize>>,
}

impl Facts {
    pub(super) fn count(&self, event: &Event) {
        let one = |number: &AtomicU64| {
            number.fetch_add(1, Ordering::Relaxed);
        };
        match event {
            Event::AppReady { .. } | Event::UpstreamReady { .. } => self.app_up.store(1, Ordering::Relaxed),
            Event::AppStopped { .. } | Event::UpstreamAbsent { .. } => self.app_up.store(0, Ordering::Relaxed),
            Event::AppHangs { .. } => self.died_of(2),
            Event::AppNotReady { .. } => self.died_of(3),
            Event::AppDied { ending, .. } => {
                self.app_up.store(0, Ordering::Relaxed);
                self.died_of(usize::from(matches!(ending, Ending::Signalled(_))));
            }
            Event::AppRestarting { .. } => {
                let death = lock(&self.death).take();
                one(&self.restarts[death.unwrap_or(0)]);
            }
            Event::ConfigReloaded { .. } => one(&self.reloads),
            Event::ConfigRefused { .. } => one(&self.reload_failures),
            Event::WorkerLost { .. } => one(&self.workers_lost),
            _ => {}
        }
    }

    /// The first cause stands: what hung is then killed, and dies of a signal.
    fn died_of(&self, cause: usize) {
        lock(&self.death).get_or_insert(cause);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_restart_is_counted_by_what_began_it() {
        let facts = Facts::default();
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
            facts.count(&event);
        }
        assert_eq!(facts.restarts.map(AtomicU64::into_inner), [1, 1, 1, 0]);
    }
}
