//! What all checks know together: collected, published, and reported where it changed.
//!
//! For whoever runs checks by other means than [`Health`]: a [`Seat`] takes the results of one check, the [`Board`] publishes
//! what all of them come to.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//! use seaworthy::Health;
//! use seaworthy::core::event::Nowhere;
//! use seaworthy::core::health::{Check, Dependencies, Outcome, Policy, Run, Status};
//! use seaworthy::health::board::{Board, Seat};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let health = Health::default();
//! let board = Arc::new(Board::new(health.clone(), Arc::new(Nowhere)));
//! let seat = Arc::new(Seat::new(Check { name: "database".to_owned(), ..Check::default() }, Policy::default()));
//! board.set(vec![seat.clone()], Dependencies::default());
//! let publishing = tokio::spawn(board.clone().publish_for_ever());
//!
//! let (now, outcome) = (Instant::now(), Outcome::Passed { warning: None });
//! let (next, _) = seat.ended(Run { began: now, ended: now, outcome, measures: Vec::new() });
//! board.told(next.turn.is_some());
//! health.follow().wait_for(|snapshot| snapshot.checks[0].status == Status::Healthy).await.unwrap();
//! publishing.abort();
//! # });
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::health::{Check, Class, Dependencies, Next, Policy, Run, Status, Tracker};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Health;

/// Measures that changed nothing are published this late.
const NO_NEWS: Duration = Duration::from_millis(250);

/// Between two publications, whatever happens: an outage of the network turns everything at once.
const GAP: Duration = Duration::from_millis(20);

/// What one check knows; see [`Tracker`].
#[derive(Debug)]
pub struct Seat(Mutex<Tracker>);

impl Seat {
    /// Of `check`, of which nothing is known yet but its description.
    pub fn new(check: Check, policy: Policy) -> Self {
        Self(Mutex::new(Tracker::new(check, policy)))
    }

    /// The same knowledge, under another description.
    #[must_use]
    pub fn again(&self, described: Check, policy: Policy) -> Self {
        let mut tracker = self.tracker().clone();
        tracker.describe(described, policy);
        Self(Mutex::new(tracker))
    }

    /// It comes at `now` into a service that is ready, which does not wait for its first result.
    pub fn come_late(&self, now: Instant) {
        self.tracker().come_late(now);
    }

    /// Takes the result of a run. Says also whether the check has ever passed.
    pub fn ended(&self, run: Run) -> (Next, bool) {
        let mut tracker = self.tracker();
        (tracker.ended(run), tracker.check().passed_once)
    }

    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        // Nothing panics between two states that are not whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where checks report to.
pub struct Board {
    seats: Mutex<(Vec<Arc<Seat>>, Dependencies)>,
    /// Held from the look at the seats to the word about them, so that an older look never has the last word.
    publishing: Mutex<()>,
    runs: AtomicU64,
    turned: Notify,
    ran: Notify,
    health: Health,
    sink: Arc<dyn Sink>,
    epoch: Instant,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("runs", &self.runs).finish_non_exhaustive()
    }
}

impl Board {
    /// Publishes in `health`, and reports to `sink` what changes.
    pub fn new(health: Health, sink: Arc<dyn Sink>) -> Self {
        let (publishing, runs, turned, ran) = Default::default();
        Self { seats: Mutex::default(), publishing, runs, turned, ran, health, sink, epoch: Instant::now() }
    }

    /// From when on the moments count at which runs begin together; see [`together`](seaworthy_core::schedule::together).
    pub fn epoch(&self) -> Instant {
        self.epoch
    }

    /// From now on these are the checks. Published at once: a check that is not known yet must be seen to be pending.
    pub fn set(&self, seats: Vec<Arc<Seat>>, dependencies: Dependencies) {
        self.arrange(seats, dependencies);
        self.publish(Instant::now());
    }

    /// From now on these are the checks, which is yet to be published.
    pub(super) fn arrange(&self, seats: Vec<Arc<Seat>>, dependencies: Dependencies) {
        *self.seats() = (seats, dependencies);
    }

    /// A run has ended.
    pub fn told(&self, turned: bool) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if turned { self.turned.notify_one() } else { self.ran.notify_one() }
    }

    /// Publishes changes at once, and everything else a few times a second. Does not end by itself.
    pub async fn publish_for_ever(self: Arc<Self>) {
        let no_news = async |ran: &Notify| {
            ran.notified().await;
            sleep(NO_NEWS).await;
        };
        loop {
            tokio::select! {
                () = self.turned.notified() => {}
                () = no_news(&self.ran) => {}
            }
            self.publish(Instant::now());
            sleep(GAP).await;
        }
    }

    /// Publishes what is known at `now`.
    pub(super) fn publish(&self, now: Instant) {
        let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let checks = {
            let seats = self.seats();
            let (seats, dependencies) = &*seats;
            let mut checks: Vec<_> = seats.iter().map(|seat| seat.tracker().check().clone()).collect();
            if !dependencies.is_empty() {
                dependencies.blame(&mut checks);
            }
            checks
        };
        let before = self.health.snapshot();
        let known: HashMap<_, _> = before.checks.iter().map(|check| (check.name.as_str(), check)).collect();
        for check in &checks {
            let known = known.get(check.name.as_str());
            if known.map_or(Status::Pending, |known| known.status) != check.status {
                self.sink.emit(&turn(known.copied(), check, now));
            }
        }
        let runs = self.runs.load(Ordering::Relaxed);
        self.health.update(|snapshot| {
            snapshot.checks = checks;
            snapshot.runs = runs;
        });
    }

    fn seats(&self) -> MutexGuard<'_, (Vec<Arc<Seat>>, Dependencies)> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to say of a check that is not what it was.
fn turn(before: Option<&Check>, check: &Check, now: Instant) -> Event {
    let (name, kind, affects) = (check.name.clone(), check.kind, check.affects.name());
    let class = check.class.map_or("", Class::name);
    let error = check.error.clone().unwrap_or_default();
    let because_of = check.because_of.clone().unwrap_or_default();
    match check.status {
        Status::Healthy | Status::Pending => {
            let since = before.filter(|before| before.status != Status::Pending).and_then(|before| before.since);
            let after = since.map(|since| now.saturating_duration_since(since));
            Event::CheckPassed { check: name, kind, latency: check.latency.unwrap_or_default(), after }
        }
        Status::Degraded => Event::CheckDegraded { check: name, kind, affects, class, error, because_of },
        Status::Unhealthy => Event::CheckFailed { check: name, kind, affects, class, error, because_of },
    }
}
