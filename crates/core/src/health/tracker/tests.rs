use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn tracker(policy: Policy) -> Tracker {
    Tracker::new(Check { name: "database".to_owned(), ..Check::default() }, policy)
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn run(at: Instant, outcome: Outcome) -> Run {
    Run { began: at, ended: at, outcome, measures: Vec::new() }
}

fn pass(tracker: &mut Tracker, at: Instant) -> Next {
    tracker.ended(run(at, Outcome::Passed { warning: None }))
}

fn fail(tracker: &mut Tracker, at: Instant, class: Class) -> Next {
    tracker.ended(run(at, Outcome::Failed { class, error: "no".to_owned() }))
}

#[test]
fn one_failure_is_repeated_soon_and_the_second_in_a_row_is_an_outage() {
    let (mut tracker, now) = (tracker(Policy::default()), Instant::now());
    let _ = pass(&mut tracker, now);
    assert_eq!(fail(&mut tracker, now, Class::Refused), Next { turn: None, soon: true });
    assert_eq!((tracker.check().status, tracker.check().consecutive_failures), (Status::Healthy, 1));
    let turn = Some(Turn { from: Status::Healthy, to: Status::Unhealthy });
    assert_eq!(fail(&mut tracker, now + SECOND, Class::Refused), Next { turn, soon: false });
    assert_eq!(tracker.check().since, Some(now + SECOND));
}

#[test]
fn a_check_that_never_passed_is_pending_until_its_failures_count() {
    let (mut tracker, now) = (tracker(Policy::default()), Instant::now());
    assert!(fail(&mut tracker, now, Class::Timeout).soon);
    assert_eq!(tracker.check().status, Status::Pending);
    let _ = fail(&mut tracker, now, Class::Timeout);
    assert_eq!(tracker.check().status, Status::Unhealthy);
    assert!(!tracker.check().passed_once);
}

#[test]
fn a_recovery_needs_as_many_passes_as_asked_for() {
    let (mut tracker, now) = (tracker(Policy { success_threshold: count(3), ..Policy::default() }), Instant::now());
    for _ in 0..2 {
        let _ = fail(&mut tracker, now, Class::Refused);
    }
    assert!(pass(&mut tracker, now).soon);
    assert!(pass(&mut tracker, now).soon);
    let turn = Some(Turn { from: Status::Unhealthy, to: Status::Healthy });
    assert_eq!(pass(&mut tracker, now), Next { turn, soon: false });
    assert_eq!((tracker.check().class, &tracker.check().error), (None, &None));
}

#[test]
fn the_class_of_a_failure_says_how_bad_it_is() {
    let on_failure = OnFailure::default().with(Class::Refused, Severity::Degraded);
    let policy = Policy { on_failure, failure_threshold: count(1), ..Policy::default() };
    let (mut tracker, now) = (tracker(policy), Instant::now());
    let _ = fail(&mut tracker, now, Class::Refused);
    assert_eq!(tracker.check().status, Status::Degraded);
    assert!(tracker.check().fails());
    let _ = fail(&mut tracker, now, Class::Protocol);
    assert_eq!(tracker.check().status, Status::Unhealthy);
    assert_eq!(tracker.check().failures.of(Class::Protocol), 1);
}

#[test]
fn a_slow_pass_is_degraded_and_says_both_times() {
    let policy = Policy { warn_latency: Some(SECOND), ..Policy::default() };
    let (mut tracker, now) = (tracker(policy), Instant::now());
    let slow = Run { ended: now + 2 * SECOND, ..run(now, Outcome::Passed { warning: None }) };
    let _ = tracker.ended(slow);
    let check = tracker.check();
    assert_eq!((check.status, check.fails(), check.passed_once), (Status::Degraded, false, true));
    assert_eq!(check.error.as_deref(), Some("it took 2.0s, longer than 1s"));
}

#[test]
fn what_flaps_takes_longer_and_longer_to_be_believed_and_is_forgiven_in_the_end() {
    let policy = Policy { failure_threshold: count(1), ..Policy::default() };
    let (mut tracker, mut now) = (tracker(policy), Instant::now());
    let mut needed = Vec::new();
    for _ in 0..9 {
        let _ = fail(&mut tracker, now, Class::Refused);
        let mut passes = 1;
        while pass(&mut tracker, now).turn.is_none() {
            passes += 1;
        }
        needed.push(passes);
        now += SECOND;
    }
    assert_eq!(needed, [1, 1, 1, 2, 4, 8, 16, 16, 16]);
    assert!(tracker.check().flapping);
    let _ = fail(&mut tracker, now + WINDOW, Class::Refused);
    assert!(pass(&mut tracker, now + WINDOW).turn.is_some(), "ten quiet minutes are enough");
    assert!(!tracker.check().flapping);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Pass,
    Warn,
    Fail(Class),
}

fn steps() -> impl Strategy<Value = Vec<(Step, u32)>> {
    let step = prop_oneof![
        Just(Step::Pass),
        Just(Step::Warn),
        proptest::sample::select(Class::ALL.to_vec()).prop_map(Step::Fail)
    ];
    prop::collection::vec((step, 0_u32..120), 1..200)
}

proptest! {
    #[test]
    fn a_status_never_contradicts_what_was_seen(steps in steps(), failures in 1_u32..5, passes in 1_u32..5) {
        let policy = Policy {
            failure_threshold: count(failures), success_threshold: count(passes), ..Policy::default()
        };
        let (mut tracker, mut now) = (tracker(policy), Instant::now());
        let (mut bad_in_a_row, mut ever_passed) = (0_u32, false);
        for (step, gap) in steps {
            now += gap * SECOND;
            let before = tracker.check().status;
            let next = match step {
                Step::Pass => pass(&mut tracker, now),
                Step::Warn => tracker.ended(run(now, Outcome::Passed { warning: Some("full".to_owned()) })),
                Step::Fail(class) => fail(&mut tracker, now, class),
            };
            let failed = matches!(step, Step::Fail(_));
            bad_in_a_row = if failed { bad_in_a_row + 1 } else { 0 };
            ever_passed |= !failed;
            let check = tracker.check();
            prop_assert_eq!(check.consecutive_failures, bad_in_a_row);
            prop_assert_eq!(check.passed_once, ever_passed);
            prop_assert_eq!(next.turn.is_some(), check.status != before);
            // An outage is never hidden, and never invented.
            if bad_in_a_row >= failures {
                prop_assert_eq!(check.status, Status::Unhealthy);
            }
            if failed && check.status == Status::Unhealthy && before != Status::Unhealthy {
                prop_assert!(bad_in_a_row >= failures);
            }
            if check.status == Status::Healthy && before != Status::Healthy {
                prop_assert!(!failed);
            }
            prop_assert!(check.stale_at.is_some_and(|at| at == now + policy.stale_after));
            prop_assert!(tracker.recoveries.len() <= STEADY + HARDEST + 1);
        }
    }

    #[test]
    fn whatever_happened_enough_passes_are_believed(steps in steps(), passes in 1_u32..5) {
        let policy = Policy { success_threshold: count(passes), ..Policy::default() };
        let (mut tracker, mut now) = (tracker(policy), Instant::now());
        for (step, gap) in steps {
            now += gap * SECOND;
            let _ = match step {
                Step::Fail(class) => fail(&mut tracker, now, class),
                Step::Pass | Step::Warn => pass(&mut tracker, now),
            };
        }
        for _ in 0..passes * 16 {
            let _ = pass(&mut tracker, now);
        }
        prop_assert_eq!(tracker.check().status, Status::Healthy);
    }
}
