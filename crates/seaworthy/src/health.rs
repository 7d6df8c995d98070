//! Checks of what a service depends on, and the snapshot that probes read.
//!
//! # Rules
//!
//! - A check runs in the background, on an interval with jitter, within a timeout, and never twice at once. A probe reads the last
//!   snapshot: it costs microseconds, whatever its rate and however stuck a dependency is.
//! - One failure is no outage: thresholds, repeats and damping are those of [`Tracker`](seaworthy_core::health::Tracker).
//! - Until a check has run it is pending, and readiness is withheld. A result that got too old counts as a failure, and so does a
//!   guard that was dropped: what is not known fails closed.
//! - **Liveness knows no check.** [`Affects`] has no word for it, because a liveness probe that asks a dependency
//!   restarts the fleet when the dependency blinks. [`Live`](seaworthy_core::health::Live) holds what it is made of.
//!
//! # In production
//!
//! A check should ask what a request would need, and no more: `SELECT 1` over the pool that requests use also says that the
//! pool is exhausted. Let `ready` depend on what *every* request needs; for the rest `health` is the word, or one cache that is
//! down takes all replicas out at once.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use seaworthy::health::{Affects, CheckError, Dependency, Health};
//!
//! # async fn ping() -> Result<(), std::io::Error> { Ok(()) }
//! # fn used() -> f64 { 0.1 }
//! let health = Health::builder()
//!     .check("database", Affects::Ready, || async { Ok(ping().await?) })
//!     .dependency("disk", Dependency::new(Affects::Health, || async {
//!         match used() {
//!             0.9.. => Err(CheckError::condition("more than 90% are used")),
//!             0.8.. => Err(CheckError::warning("more than 80% are used")),
//!             _ => Ok(()),
//!         }
//!     }).every(Duration::from_secs(60)))
//!     .require_env("PATH")
//!     .build();
//! assert!(health.problems().is_empty());
//! assert!(!health.dependencies().satisfied, "no check has run yet");
//! ```

#[doc(hidden)]
pub mod board;
mod builder;
mod dependency;
mod guard;
mod runner;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seaworthy_core::event::Sink;
use seaworthy_core::health::{Dependencies, Outcome, Run};
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use builder::{Builder, CheckProblem};
pub use dependency::{CheckError, CheckResult, Dependency};
pub use guard::ReadinessGuard;
pub use seaworthy_core::health::{Affects, Check, Class, Overall, Snapshot, Status};

use self::board::{Board, Seat};
use crate::clock;
use crate::sink::Relay;

/// What is known of the health of a service. Clones share it; reading the snapshot costs a reference count.
///
/// [`Health::builder`] makes one that runs checks. A [`Default`] one runs none, until some are
/// [registered](Health::register), and holds what somebody else [publishes](Health::publish).
#[derive(Debug, Clone, Default)]
pub struct Health {
    latest: Arc<watch::Sender<Arc<Snapshot>>>,
    checks: Arc<Mutex<Checks>>,
}

/// Checks of our own.
#[derive(Debug, Default)]
struct Checks {
    entries: Vec<Entry>,
    problems: Vec<CheckProblem>,
    /// What the environment must have, there or not.
    required: Vec<String>,
    board: Option<Arc<Board>>,
    relay: Relay,
    /// Where checks run, once they do.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    runtime: tokio::runtime::Handle,
    publisher: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

/// One check.
#[derive(Debug)]
struct Entry {
    name: String,
    seat: Arc<Seat>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Asked in the background.
    Asked { dependency: Dependency, task: Option<AbortHandle> },
    /// Told by a guard, or by a mark.
    Told,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Kind::Asked { task: Some(task), .. } = &self.kind {
            task.abort();
        }
    }
}

/// Whether everything is there that a service depends on, name by name; see [`Health::dependencies`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Satisfaction {
    /// Nothing is missing.
    pub satisfied: bool,
    /// The names of what is not there: checks that fail or have never run, and what the environment lacks.
    pub missing: Vec<String>,
    /// Each name, and whether it is there.
    pub details: BTreeMap<String, bool>,
}

impl Health {
    /// Names the checks of a service.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The last snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.latest.borrow().clone()
    }

    /// Puts a new snapshot in the place of the last one. For whoever runs checks by other means.
    #[doc(hidden)]
    pub fn publish(&self, snapshot: Snapshot) {
        self.latest.send_replace(Arc::new(snapshot));
    }

    /// Changes the last snapshot. Several writers so keep out of each other's way: each touches what is its own.
    #[doc(hidden)]
    pub fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        self.latest.send_modify(|snapshot| change(Arc::make_mut(snapshot)));
    }

    /// Follows the snapshots. What was replaced between two looks is not seen.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.latest.subscribe()
    }

    /// What is known of the check called `name` now, aged: a result that is too old counts as failed. `None` where there is no such
    /// check.
    pub fn check(&self, name: &str) -> Option<Check> {
        self.believed().checks.iter().find(|check| check.name == name).cloned()
    }

    /// Whether everything is there that the service depends on: each check holds, and the environment has what is required.
    pub fn dependencies(&self) -> Satisfaction {
        let snapshot = self.believed();
        let holds = |check: &Check| matches!(check.status, Status::Healthy | Status::Degraded);
        let mut details: BTreeMap<_, _> =
            snapshot.checks.iter().map(|check| (check.name.clone(), holds(check))).collect();
        let required = self.checks().required.clone();
        details.extend(required.into_iter().map(|name| {
            let there = !snapshot.missing.contains(&name);
            (name, there)
        }));
        let missing: Vec<_> = details.iter().filter(|(_, there)| !**there).map(|(name, _)| name.clone()).collect();
        Satisfaction { satisfied: missing.is_empty(), missing, details }
    }

    /// Adds a check while the service runs. It is pending until its first run, which begins at once.
    ///
    /// ```
    /// use seaworthy::health::{Affects, Dependency, Health};
    ///
    /// let health = Health::default();
    /// health.register("search", || async { Ok(()) })?; // affects `health`
    /// health.register("ledger", Dependency::new(Affects::Ready, || async { Ok(()) }))?;
    /// assert!(health.register("search", || async { Ok(()) }).is_err());
    /// # Ok::<(), seaworthy::health::CheckProblem>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CheckProblem`] if the name is taken, or the settings contradict each other. Nothing is added then.
    pub fn register(&self, name: impl Into<String>, dependency: impl Into<Dependency>) -> Result<(), CheckProblem> {
        let (name, dependency) = (name.into(), dependency.into());
        let mut checks = self.checks();
        if let Some(problem) = checks.problem_with(&name, Some(&dependency)) {
            return Err(problem);
        }
        let seat = Arc::new(Seat::new(dependency.describe(&name), dependency.policy()));
        checks.entries.push(Entry { name, seat, kind: Kind::Asked { dependency, task: None } });
        self.changed(checks);
        Ok(())
    }

    /// Takes a check off again, with its task. Gives whether there was one.
    pub fn unregister(&self, name: &str) -> bool {
        let mut checks = self.checks();
        let before = checks.entries.len();
        checks.entries.retain(|entry| entry.name != name);
        let found = checks.entries.len() < before;
        if found {
            self.changed(checks);
        }
        found
    }

    /// Withholds readiness until the guard says otherwise: for what has to be there and no check can ask.
    ///
    /// # Errors
    ///
    /// [`CheckProblem`] if the name is taken or empty.
    pub fn guard(&self, name: impl Into<String>) -> Result<ReadinessGuard, CheckProblem> {
        let name = name.into();
        let check = Check { name: name.clone(), kind: "guard", affects: Affects::Ready, ..Check::default() };
        let seat = self.told(&name, check)?;
        Ok(ReadinessGuard::new(self.clone(), seat))
    }

    /// Says that the part called `name` is initialized: the start is complete when all parts are that
    /// [`Builder::initializes`] named. Gives whether there is such a part; what was not named cannot be marked.
    pub fn mark_initialized(&self, name: &str) -> bool {
        let seat = {
            let checks = self.checks();
            let named = |entry: &&Entry| entry.name == name && matches!(entry.kind, Kind::Told);
            checks.entries.iter().find(named).map(|entry| entry.seat.clone())
        };
        let Some(seat) = seat else { return false };
        self.tell(&seat, Outcome::Passed { warning: None });
        true
    }

    /// What is wrong with the checks that [`Builder`] was given: names that stand twice, times that contradict each other.
    /// [`Production`](crate::Production) refuses to be built with any.
    pub fn problems(&self) -> Vec<CheckProblem> {
        self.checks().problems.clone()
    }

    /// Runs the checks from now on, on the runtime of the caller, and tells `sink` what changes.
    /// [`Production::serve`](crate::Production::serve) calls it; a second call only names another sink.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    #[expect(clippy::needless_pass_by_value, reason = "it is handed over: `start(Arc::new(events))`")]
    pub fn start(&self, sink: Arc<dyn Sink>) {
        let mut checks = self.checks();
        let relay = checks.relay.clone();
        if checks.running.is_none() {
            let publisher = tokio::spawn(self.board(&mut checks).publish_for_ever()).abort_handle();
            checks.running = Some(Running { runtime: tokio::runtime::Handle::current(), publisher });
        }
        self.changed(checks);
        relay.attach(&sink);
    }

    /// Ends all runs. What was known stays, until it is too old to be believed.
    pub fn stop(&self) {
        let mut checks = self.checks();
        for entry in &mut checks.entries {
            if let Kind::Asked { task, .. } = &mut entry.kind
                && let Some(task) = task.take()
            {
                task.abort();
            }
        }
        checks.running = None;
    }

    /// The last snapshot, as far as it is to be believed now.
    pub(crate) fn believed(&self) -> Arc<Snapshot> {
        let (snapshot, now) = (self.snapshot(), clock::now());
        if snapshot.is_stale(now) { Arc::new(snapshot.aged(now)) } else { snapshot }
    }

    fn checks(&self) -> MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A check that is told instead of asked.
    fn told(&self, name: &str, check: Check) -> Result<Arc<Seat>, CheckProblem> {
        let mut checks = self.checks();
        if let Some(problem) = checks.problem_with(name, None) {
            return Err(problem);
        }
        let seat = Arc::new(Seat::new(check, guard::policy()));
        checks.entries.push(Entry { name: name.to_owned(), seat: seat.clone(), kind: Kind::Told });
        self.changed(checks);
        Ok(seat)
    }

    /// Takes the word of whoever knows, and publishes it at once.
    fn tell(&self, seat: &Seat, outcome: Outcome) {
        let now = clock::now();
        // Its status is what counts; a run that is told takes no time and is repeated by nobody.
        let _ = seat.ended(Run { began: now, ended: now, outcome, measures: Vec::new() });
        let board = self.board(&mut self.checks());
        board.publish(now);
    }

    fn board(&self, checks: &mut Checks) -> Arc<Board> {
        let relay = checks.relay.clone();
        // The board holds the snapshots and not the checks, which hold the board.
        let health = || Self { latest: self.latest.clone(), checks: Arc::default() };
        checks.board.get_or_insert_with(|| Arc::new(Board::new(health(), Arc::new(relay)))).clone()
    }

    /// The list of checks is another one: it is published, and those that are new begin to run.
    fn changed(&self, mut checks: MutexGuard<'_, Checks>) {
        let board = self.board(&mut checks);
        let graph = checks.entries.iter().map(|entry| (entry.name.as_str(), entry.depends_on()));
        // A circle is a problem that is reported by the builder; without a graph nobody is blamed.
        let dependencies = Dependencies::new(graph).unwrap_or_default();
        board.arrange(checks.entries.iter().map(|entry| entry.seat.clone()).collect(), dependencies);
        if let Some(runtime) = checks.running.as_ref().map(|running| running.runtime.clone()) {
            for (number, entry) in checks.entries.iter_mut().enumerate() {
                let seat = entry.seat.clone();
                if let Kind::Asked { dependency, task: task @ None } = &mut entry.kind {
                    let follow = runner::follow(dependency.clone(), number, seat, board.clone());
                    *task = Some(runtime.spawn(follow).abort_handle());
                }
            }
        }
        // Without the lock: what is published may lead to a fact, whose consumer may ask for the health.
        drop(checks);
        board.publish(clock::now());
    }
}

impl Entry {
    fn depends_on(&self) -> &[String] {
        match &self.kind {
            Kind::Asked { dependency, .. } => dependency.parents(),
            Kind::Told => &[],
        }
    }
}
