//! Runs one check for as long as nobody ends it.

use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::health::{Class, Outcome, Run};
use seaworthy_core::schedule::Schedule;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::CheckResult;
use super::board::{Board, Seat};
use super::dependency::Dependency;
use crate::clock;
use crate::panic::message_of;

/// Between the end of a run and the next: a timeout as long as the interval would leave none.
const BREATH: Duration = Duration::from_millis(10);

pub(super) async fn follow(dependency: Dependency, number: usize, seat: Arc<Seat>, board: Arc<Board>) {
    let schedule = Schedule::new(dependency.interval());
    let mut runs = JoinSet::new();
    sleep(schedule.first(number)).await;
    loop {
        let began = clock::now();
        let outcome = run(&dependency, &mut runs).await;
        let ended = clock::now();
        let (next, passed_once) = seat.ended(Run { began, ended, outcome, measures: Vec::new() });
        board.told(next.turn.is_some());
        // A start that waits for something waits no longer than it must.
        let soon = next.soon || (dependency.waits_for_start() && !passed_once);
        let due = schedule.next(began, ended, soon, fastrand::f64());
        sleep_until(Instant::from_std(due).max(Instant::now() + BREATH)).await;
    }
}

/// One run, in a task of its own: there a panic ends the run and nothing else, and a run that blocks its thread does not hold
/// this one up.
async fn run(dependency: &Dependency, runs: &mut JoinSet<CheckResult>) -> Outcome {
    let failed = |class, error: String| Outcome::Failed { class, error };
    // The last one may have been given up. Two at once would ask a dependency that is stuck all the more.
    while runs.try_join_next().is_some() {}
    if runs.is_empty() {
        let dependency = dependency.clone();
        runs.spawn(async move { dependency.ask().await });
    }
    match timeout(dependency.timeout(), runs.join_next()).await {
        Err(_) => {
            runs.abort_all();
            failed(Class::Timeout, format!("no answer within {:?}", dependency.timeout()))
        }
        Ok(Some(Ok(Ok(()))) | None) => Outcome::Passed { warning: None },
        Ok(Some(Ok(Err(error)))) => error.outcome(),
        Ok(Some(Err(error))) => match error.try_into_panic() {
            Ok(panic) => failed(Class::Condition, format!("the check panicked: {}", message_of(panic.as_ref()))),
            // It was given up, and has ended only now.
            Err(_) => failed(Class::Timeout, "its last run has only just ended".to_owned()),
        },
    }
}
