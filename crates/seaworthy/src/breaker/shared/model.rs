//! Every interleaving of two threads, tried by a model checker.

use std::num::NonZeroU32;
use std::sync::PoisonError;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use seaworthy_core::breaker::{Policy, State};

use super::*;

struct Loom;

impl Threads for Loom {
    type Lock<T> = loom::sync::Mutex<T>;
    type Word = AtomicU64;
}

impl<T> Lock<T> for loom::sync::Mutex<T> {
    fn new(inside: T) -> Self {
        Self::new(inside)
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn add(&self, value: u64) {
        self.fetch_add(value, Ordering::Relaxed);
    }
}

type Modelled = Arc<Shared<Loom>>;

fn tripping_after(failures: u32, start: Instant) -> Modelled {
    let mut policy = Policy::default();
    policy.failures.as_mut().expect("the default counts failures").count = NonZeroU32::new(failures).unwrap();
    Arc::new(Shared::new(Breaker::new(policy), start))
}

/// One call, and whether it was made.
fn call(shared: &Shared<Loom>, outcome: Outcome, now: Instant) -> bool {
    match shared.acquire(now).decision {
        Decision::Admitted(permit) => {
            shared.finish(permit, outcome, now, 0.0);
            true
        }
        Decision::Refused { .. } => false,
    }
}

/// Runs `work` on two threads, and returns what each returned.
fn twice<R: 'static>(shared: &Modelled, work: impl Fn(&Shared<Loom>) -> R + Copy + Send + 'static) -> [R; 2] {
    let other = shared.clone();
    let other = loom::thread::spawn(move || work(&other));
    [work(shared), other.join().unwrap()]
}

#[test]
fn no_count_is_lost_whatever_two_threads_do_at_once() {
    loom::model(|| {
        let start = Instant::now();
        let shared = tripping_after(2, start);
        // Four failures trip it on the way, so that some calls are refused in front of the lock and some behind.
        let made: u64 =
            twice(&shared, move |shared| (0..2).map(|_| u64::from(call(shared, Outcome::Failure, start))).sum::<u64>())
                .iter()
                .sum();
        let totals = shared.snapshot(start).totals;
        assert_eq!(totals.failed, made);
        assert_eq!(totals.failed + totals.refused, 4);
        assert_eq!(shared.snapshot(start).state, State::Open);
    });
}

#[test]
fn one_of_two_probes_at_once_goes_out_and_no_lease_is_left_behind() {
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Cancelled, Outcome::Ignored] {
        loom::model(move || {
            let start = Instant::now();
            let shared = tripping_after(1, start);
            assert!(call(&shared, Outcome::Failure, start));
            let later = start + Duration::from_secs(40);
            let made = twice(&shared, move |shared| call(shared, outcome, later));
            assert!(made[0] || made[1], "somebody probes");
            let snapshot = shared.snapshot(later);
            assert_eq!(snapshot.probes, 0, "every lease came back");
            let state = match outcome {
                Outcome::Success => State::Closed,
                Outcome::Failure => State::Open,
                Outcome::Ignored | Outcome::Cancelled => State::HalfOpen,
            };
            assert_eq!(snapshot.state, state, "{outcome:?}");
        });
    }
}

#[test]
fn what_is_answered_in_front_of_the_lock_agrees_with_what_is_behind_it() {
    loom::model(|| {
        let start = Instant::now();
        let shared = tripping_after(1, start);
        let other = shared.clone();
        let resetting = loom::thread::spawn(move || other.reset().is_some());
        call(&shared, Outcome::Failure, start);
        resetting.join().unwrap();
        // Whoever was last, a call afterwards is admitted if and only if the breaker is closed.
        let closed = shared.snapshot(start).state == State::Closed;
        assert_eq!(call(&shared, Outcome::Success, start), closed);
    });
}
