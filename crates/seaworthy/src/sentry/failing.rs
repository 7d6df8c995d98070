//! Checks that fail, until that has lasted for long enough to be reported.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seaworthy_core::event::Event;

use super::report::Report;

/// What fails, since when, and whether that was reported.
#[derive(Debug)]
pub(super) struct Failing {
    after: Duration,
    checks: Mutex<BTreeMap<String, Since>>,
}

#[derive(Debug)]
struct Since {
    at: Instant,
    event: Event,
    reported: bool,
}

impl Failing {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, checks: Mutex::default() }
    }

    /// Follows checks. Whether there is something new to wait for.
    pub(super) fn follow(&self, event: &Event, now: Instant) -> bool {
        match event {
            Event::CheckFailed { check, .. } => {
                let mut checks = self.lock();
                let new = !checks.contains_key(check);
                // The latest error is the one to be told; the time is that of the first.
                let since = checks.entry(check.clone());
                since.and_modify(|since| since.event = event.clone()).or_insert_with(|| Since {
                    at: now,
                    event: event.clone(),
                    reported: false,
                });
                new
            }
            Event::CheckPassed { check, .. } | Event::CheckDegraded { check, .. } => {
                self.lock().remove(check);
                false
            }
            _ => false,
        }
    }

    /// When the next report is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let checks = self.lock();
        checks.values().filter(|since| !since.reported).map(|since| since.at + self.after).min()
    }

    /// The reports that are due at `now`, each of them once.
    pub(super) fn due(&self, now: Instant) -> Vec<Report> {
        let mut checks = self.lock();
        let due = checks.iter_mut().filter(|(_, since)| !since.reported && now >= since.at + self.after);
        due.map(|(check, since)| {
            since.reported = true;
            Report::of_check(&since.event, check, now.saturating_duration_since(since.at))
        })
        .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Since>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn failed(check: &str, error: &str) -> Event {
        Event::CheckFailed {
            check: check.to_owned(),
            kind: "tcp",
            affects: "ready",
            class: "refused",
            error: error.to_owned(),
            because_of: String::new(),
        }
    }

    fn passed(check: &str) -> Event {
        Event::CheckPassed { check: check.to_owned(), kind: "tcp", latency: MINUTE, after: None }
    }

    #[test]
    fn a_check_is_reported_once_when_it_has_failed_for_long_and_again_only_after_it_held() {
        let (failing, start) = (Failing::new(5 * MINUTE), Instant::now());
        assert!(failing.follow(&failed("db", "first"), start));
        assert!(!failing.follow(&failed("db", "second"), start + MINUTE));
        assert_eq!(failing.next_due(), Some(start + 5 * MINUTE));
        assert!(failing.due(start + 4 * MINUTE).is_empty());
        let due = failing.due(start + 5 * MINUTE);
        assert_eq!(due.len(), 1);
        assert!(due[0].message.ends_with("second"), "{due:?}");
        assert!(failing.due(start + 9 * MINUTE).is_empty());
        assert_eq!(failing.next_due(), None);

        failing.follow(&passed("db"), start + 9 * MINUTE);
        failing.follow(&failed("db", "third"), start + 10 * MINUTE);
        assert_eq!(failing.due(start + 15 * MINUTE).len(), 1);
    }

    #[test]
    fn a_check_that_recovers_in_time_is_not_reported() {
        let (failing, start) = (Failing::new(MINUTE), Instant::now());
        failing.follow(&failed("db", "away"), start);
        failing.follow(&passed("db"), start + MINUTE / 2);
        assert!(failing.due(start + 2 * MINUTE).is_empty());
    }
}
