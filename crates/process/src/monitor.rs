//! Runs the checks in the background, and writes what comes of them into the snapshot that probes read.
//!
//! # Rules
//!
//! - A check is a task: it waits, runs, and waits again, so that it never runs twice at once, and a thousand of them need no
//!   thread. A probe costs none of them a run.
//! - Every run ends within its timeout, wherever it stands.
//! - A change is published at once, everything else a few times a second: what a thousand checks have measured need not be
//!   copied a thousand times.
//! - A reload leaves the checks that did not change as they are, with their connections and their knowledge. One that is new
//!   to a service that is ready takes nothing from it before it has failed.

mod record;
mod surroundings;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use seaworthy::core::event::Sink;
use seaworthy::core::health::{self, Dependencies};
use seaworthy::health::Health;
use seaworthy::health::board::{Board, Seat};
use seaworthy_checks::heartbeat::Signal;
use seaworthy_checks::kinds::Spec;
use seaworthy_checks::{Heartbeats, Surroundings};
use seaworthy_core::schedule::{self, Schedule};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::record::Record;
pub(crate) use self::surroundings::surroundings;

use crate::config::{Check, nearest};
use crate::control::Reply;

/// The checks that run. Dropping it ends them, with their connections.
#[derive(Debug)]
pub(crate) struct Monitor {
    board: Arc<Board>,
    running: HashMap<String, Running>,
    surroundings: Surroundings,
    publisher: JoinHandle<()>,
}

/// One check that runs.
#[derive(Debug)]
struct Running {
    check: Check,
    seat: Arc<Seat>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Monitor {
    /// Runs `checks` on the runtime of the caller, and publishes what they find in `health`.
    pub(crate) fn start(checks: &[Check], surroundings: Surroundings, health: Health, sink: Arc<dyn Sink>) -> Self {
        let board = Arc::new(Board::new(health, sink));
        let publisher = tokio::spawn(board.clone().publish_for_ever());
        let mut monitor = Self { board, running: HashMap::new(), surroundings, publisher };
        monitor.set(checks, false);
        monitor
    }

    /// Runs these checks from now on. One that is the same goes on; one that has changed begins anew, and what was known
    /// under its name stands until its first result. `serving` says whether the service is ready: what comes now does not
    /// make it wait.
    pub(crate) fn set(&mut self, checks: &[Check], serving: bool) {
        let mut before = std::mem::take(&mut self.running);
        let mut seats = Vec::with_capacity(checks.len());
        for (number, check) in checks.iter().enumerate() {
            let running = match before.remove(&check.name) {
                Some(running) if running.check == *check => running,
                earlier => {
                    let known = earlier.as_ref().filter(|earlier| earlier.check.spec.kind() == check.spec.kind());
                    let seat = Arc::new(match known {
                        Some(earlier) => earlier.seat.again(described(check), check.policy),
                        None => Seat::new(described(check), check.policy),
                    });
                    if serving {
                        seat.come_late(std::time::Instant::now());
                    }
                    // Its connection is closed before another one is opened.
                    drop(earlier);
                    let task =
                        follow(check.clone(), number, seat.clone(), self.surroundings.clone(), self.board.clone());
                    Running { check: check.clone(), seat, task: tokio::spawn(task) }
                }
            };
            seats.push(running.seat.clone());
            self.running.insert(check.name.clone(), running);
        }
        let graph = checks.iter().map(|check| (check.name.as_str(), check.depends_on.as_slice()));
        // The configuration refuses circles; without a graph nobody is blamed.
        self.board.set(seats, Dependencies::new(graph).unwrap_or_default());
    }

    /// A job that a heartbeat check waits for says how it is.
    pub(crate) fn beat(&self, name: &str, signal: Signal) -> Reply {
        let expected = || {
            let heartbeats =
                self.running.iter().filter(|(_, running)| matches!(running.check.spec, Spec::Heartbeat(_)));
            heartbeats.map(|(name, _)| name.as_str())
        };
        if expected().any(|known| known == name) && self.surroundings.heartbeats.take(name, signal) {
            return Reply::done(match signal {
                Signal::Start => format!("{name} has started"),
                Signal::Success { .. } => format!("{name} is alive"),
                Signal::Failure { .. } => format!("{name} has failed"),
            });
        }
        let hint = match nearest::to(name, expected()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "add a [[check]] with kind = \"heartbeat\"".to_owned(),
        };
        Reply::refused(format!("no heartbeat check has the name {name:?}; {hint}"))
    }

    /// What jobs have said of themselves.
    pub(crate) fn heartbeats(&self) -> &Heartbeats {
        &self.surroundings.heartbeats
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

/// What is known of a check before its first run.
pub(crate) fn described(check: &Check) -> health::Check {
    health::Check {
        name: check.name.clone(),
        kind: check.spec.kind(),
        affects: check.affects,
        group: check.group.clone(),
        gates_start: check.gates_start,
        labels: check.labels.clone(),
        ..health::Check::default()
    }
}

/// Runs one check for as long as nobody ends it.
async fn follow(check: Check, number: usize, seat: Arc<Seat>, surroundings: Surroundings, board: Arc<Board>) {
    let schedule = Schedule::new(check.interval);
    let mut probe = check.spec.clone().probe(surroundings);
    sleep(schedule.first(number)).await;
    loop {
        let run = seaworthy_checks::run(&mut *probe, check.timeout).await;
        let (began, ended) = (run.began, run.ended);
        let (next, passed_once) = seat.ended(run);
        board.told(next.turn.is_some());
        // A start that waits for something waits no longer than it must.
        let soon = next.soon || (check.gates_start && !passed_once);
        let due = schedule::together(schedule.next(began, ended, soon, fastrand::f64()), board.epoch());
        // Never without a pause: a timeout as long as the interval would leave none.
        sleep_until(Instant::from_std(due).max(Instant::now() + BREATH)).await;
    }
}

/// Between the end of a run and the next.
const BREATH: Duration = Duration::from_millis(10);
