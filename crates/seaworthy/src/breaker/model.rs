//! Every interleaving of two threads, tried by a model checker.

/// The same source once more, over the primitives of the model checker.
#[allow(clippy::duplicate_mod, reason = "what is checked must be what runs, and not a copy of it")]
#[path = "shared.rs"]
mod shared;

/// What threads share by.
mod threads {
    pub(super) use loom::sync::Mutex;
    pub(super) use loom::sync::atomic::AtomicU64;
}

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use loom::sync::Arc;
use seaworthy_core::breaker::{Breaker, Decision, Mode, Outcome, Policy, State};

use self::shared::Shared;

type Modelled = Arc<Shared>;

fn tripping_after(failures: u32, start: Instant) -> Modelled {
    let mut policy = Policy::default();
    policy.failures.as_mut().expect("the default counts failures").count = NonZeroU32::new(failures).unwrap();
    Arc::new(Shared::new(Breaker::new(policy), start))
}

/// One call, and whether it was made.
fn call(shared: &Shared, outcome: Outcome, now: Instant) -> bool {
    match shared.acquire(now).decision {
        Decision::Admitted(permit) => {
            shared.finish(permit, outcome, now, 0.0);
            true
        }
        Decision::Refused { .. } => false,
    }
}

/// Runs `work` on two threads, and returns what each returned.
fn twice<R: 'static>(shared: &Modelled, work: impl Fn(&Shared) -> R + Copy + Send + 'static) -> [R; 2] {
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

#[test]
fn whoever_overrules_it_overrules_what_is_answered_in_front_of_the_lock() {
    loom::model(|| {
        let start = Instant::now();
        let shared = tripping_after(1, start);
        let other = shared.clone();
        let overruling = loom::thread::spawn(move || other.set_mode(Mode::Disabled));
        call(&shared, Outcome::Failure, start);
        assert_eq!(overruling.join().unwrap(), Mode::Automatic);
        assert!(call(&shared, Outcome::Success, start), "a breaker that is disabled refuses nothing");
    });
}
