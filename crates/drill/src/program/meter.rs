//! For how long an instance was kept from the processors by others.
//!
//! On a machine that is busy with something else a good service is late, and a verdict by time would be about the machine.
//! The kernel counts for each thread how long it was ready to run and had to wait. Of that, the share counts that
//! others had of the processors: a service whose own threads wait for each other has nobody else to blame.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::proc;

const EVERY: Duration = Duration::from_millis(200);

/// Samples between two looks for new processes.
const LOOK: usize = 5;

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Meter {
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    account: Account,
    known: Vec<u32>,
    /// What had been waited, all together, by then.
    samples: Vec<(Instant, Duration)>,
}

impl State {
    fn sample(&mut self) {
        let waited = self.account.add(&threads(&self.known), proc::busy());
        self.samples.push((Instant::now(), waited));
    }
}

impl Meter {
    /// Watches the processes that `pids` names. Must be called within the runtime.
    pub(crate) fn start(pids: impl Fn() -> Vec<u32> + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(State { known: pids(), ..State::default() }));
        lock(&state).sample();
        let watched = state.clone();
        let task = tokio::spawn(async move {
            for turn in 1_usize.. {
                sleep(EVERY).await;
                let known = turn.is_multiple_of(LOOK).then(&pids);
                let mut state = lock(&watched);
                if let Some(known) = known {
                    state.known = known;
                }
                state.sample();
            }
        });
        Self { state, task: task.abort_handle() }
    }

    /// What it was kept waiting since `start`; at most a sample too much.
    pub(crate) fn since(&self, start: Instant) -> Duration {
        self.between(start, Instant::now())
    }

    /// What it was kept waiting between these two; at most two samples too much.
    pub(crate) fn between(&self, start: Instant, end: Instant) -> Duration {
        let mut state = lock(&self.state);
        // Where the drill itself is late, the last sample may be old.
        if state.samples.last().is_none_or(|(at, _)| *at < end) {
            state.sample();
        }
        let samples = &state.samples;
        let before = samples.iter().rev().find(|(at, _)| *at <= start).map_or(Duration::ZERO, |(_, waited)| *waited);
        let after = samples.iter().find(|(at, _)| *at >= end).or(samples.last());
        after.map_or(Duration::ZERO, |(_, waited)| waited.saturating_sub(before))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A thread's process, and how long it has run and waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Thread {
    pid: u32,
    ran: Duration,
    waited: Duration,
}

fn threads(pids: &[u32]) -> HashMap<u32, Thread> {
    let of = |pid: u32| {
        proc::threads(pid).into_iter().map(move |(thread, ran, waited)| (thread, Thread { pid, ran, waited }))
    };
    pids.iter().copied().flat_map(of).collect()
}

/// Adds up what threads waited, process by process.
#[derive(Debug, Default)]
struct Account {
    last: HashMap<u32, Thread>,
    busy: Duration,
    waited: Duration,
}

impl Account {
    /// `busy` is how long the machine's processors have worked, all together.
    fn add(&mut self, threads: &HashMap<u32, Thread>, busy: Duration) -> Duration {
        let mut ran = Duration::ZERO;
        let mut waited: HashMap<u32, Duration> = HashMap::new();
        for (thread, now) in threads {
            // What a thread that is first seen did before may lie long ago.
            let Some(before) = self.last.get(thread) else { continue };
            ran += now.ran.saturating_sub(before.ran);
            let own = waited.entry(now.pid).or_default();
            // Threads wait side by side, processes as a rule one for another.
            *own = (*own).max(now.waited.saturating_sub(before.waited));
        }
        let all = busy.saturating_sub(self.busy);
        let others = if all.is_zero() { 0.0 } else { (1.0 - ran.as_secs_f64() / all.as_secs_f64()).clamp(0.0, 1.0) };
        if !self.last.is_empty() {
            self.waited += waited.into_values().sum::<Duration>().mul_f64(others);
        }
        self.last.clone_from(threads);
        self.busy = busy;
        self.waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn thread(pid: u32, ran: u64, waited: u64) -> Thread {
        Thread { pid, ran: SECOND * u32::try_from(ran).unwrap(), waited: SECOND * u32::try_from(waited).unwrap() }
    }

    #[test]
    fn who_waits_for_others_is_excused_and_who_waits_for_himself_is_not() {
        let mut account = Account::default();
        account.add(&HashMap::from([(1, thread(1, 0, 0))]), Duration::ZERO);
        // Of four seconds of work three were of others.
        assert_eq!(account.add(&HashMap::from([(1, thread(1, 1, 2))]), SECOND * 4), SECOND * 3 / 2);

        let mut account = Account::default();
        account.add(&HashMap::from([(1, thread(1, 0, 0)), (2, thread(1, 0, 0))]), Duration::ZERO);
        let alone = HashMap::from([(1, thread(1, 2, 2)), (2, thread(1, 2, 2))]);
        assert_eq!(account.add(&alone, SECOND * 4), Duration::ZERO);
    }

    #[test]
    fn threads_of_a_process_wait_side_by_side_and_processes_one_for_another() {
        let mut account = Account::default();
        let at = |ran, waited| {
            HashMap::from([(1, thread(1, ran, waited)), (2, thread(1, ran, waited)), (3, thread(3, ran, waited))])
        };
        account.add(&at(0, 0), Duration::ZERO);
        assert_eq!(account.add(&at(0, 1), SECOND * 2), SECOND * 2);
    }

    #[tokio::test]
    async fn what_cannot_be_watched_was_never_kept_waiting() {
        let begun = Instant::now();
        let meter = Meter::start(Vec::new);
        assert_eq!(meter.since(begun), Duration::ZERO);
    }

    #[tokio::test]
    async fn what_was_waited_is_known_at_once() {
        let begun = Instant::now();
        let meter = Meter::start(|| vec![std::process::id()]);
        let samples = || lock(&meter.state).samples.len();
        let before = samples();
        meter.since(begun);
        assert_eq!(samples(), before + 1, "nobody slept, so the task has not run");
        assert!(meter.between(begun, begun) <= begun.elapsed() * 64, "no more than its threads had time for");
    }
}
