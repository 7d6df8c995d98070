use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::backoff::Backoff;

const SECOND: Duration = Duration::from_secs(1);

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// The backoff of an open time that never grows.
fn constant(seconds: u32) -> Backoff {
    let time = seconds * SECOND;
    Backoff { first: time, factor: 1, longest: time }
}

/// 3 failures in 60 s, open for 30 s that do not grow.
fn three() -> Policy {
    Policy { open: OpenTime { time: constant(30), ..Policy::stripe().open }, ..Policy::stripe() }
}

fn of_rates(rates: Rates) -> Policy {
    Policy { failures: None, rates: Some(rates), ..three() }.checked().unwrap()
}

#[track_caller]
fn permit(breaker: &mut Breaker, now: Instant) -> Permit {
    match breaker.acquire(now).decision {
        Decision::Admitted(permit) => permit,
        Decision::Refused { retry_after } => panic!("refused for {retry_after:?}"),
    }
}

fn call(breaker: &mut Breaker, outcome: Outcome, now: Instant) -> Option<Transition> {
    let permit = permit(breaker, now);
    breaker.finish(permit, outcome, now, 0.0)
}

fn trip(breaker: &mut Breaker, now: Instant) {
    while breaker.state() == State::Closed {
        call(breaker, Outcome::Failure, now);
    }
}

fn refused(breaker: &mut Breaker, now: Instant) -> Option<Duration> {
    match breaker.acquire(now).decision {
        Decision::Admitted(_) => None,
        Decision::Refused { retry_after } => Some(retry_after),
    }
}

#[test]
fn the_third_failure_within_a_minute_opens_it_and_says_why() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    assert_eq!(call(&mut breaker, Outcome::Failure, start), None);
    assert_eq!(call(&mut breaker, Outcome::Success, start), None);
    assert_eq!(call(&mut breaker, Outcome::Failure, start + 30 * SECOND), None);
    let opened = call(&mut breaker, Outcome::Failure, start + 59 * SECOND).unwrap();
    assert_eq!((opened.from, opened.to), (State::Closed, State::Open));
    assert_eq!(opened.cause.to_string(), "3 failures within 60s");
    assert_eq!(opened.open_for, Some(30 * SECOND));
    assert_eq!(refused(&mut breaker, start + 60 * SECOND), Some(29 * SECOND));
}

#[test]
fn failures_spread_wider_than_the_window_never_open_it() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    for n in 0..50 {
        assert_eq!(call(&mut breaker, Outcome::Failure, start + n * 31 * SECOND), None, "failure {n}");
    }
}

#[test]
fn ignored_and_cancelled_calls_say_nothing() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    for _ in 0..100 {
        call(&mut breaker, Outcome::Ignored, start);
        call(&mut breaker, Outcome::Cancelled, start);
    }
    assert_eq!(breaker.state(), State::Closed);
    let totals = breaker.snapshot(start).totals;
    assert_eq!((totals.ignored, totals.cancelled), (100, 100));
}

#[test]
fn after_the_open_time_one_probe_goes_out_and_closes_it() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    trip(&mut breaker, start);
    let later = start + 30 * SECOND;
    let admission = breaker.acquire(later);
    assert_eq!(admission.transition.map(|transition| transition.to), Some(State::HalfOpen));
    let Decision::Admitted(probe) = admission.decision else { panic!("the probe is admitted") };
    assert!(refused(&mut breaker, later).is_some(), "a second call waits for the verdict of the first");
    let closed = breaker.finish(probe, Outcome::Success, later, 0.0).unwrap();
    assert_eq!((closed.to, closed.cause), (State::Closed, Cause::ProbesSucceeded));
    assert_eq!(breaker.snapshot(later).failures, 0, "what was before is forgotten");
}

#[test]
fn a_failed_probe_opens_it_for_twice_as_long_until_the_longest() {
    let mut policy = three();
    policy.open.time = Backoff { first: 30 * SECOND, factor: 2, longest: 100 * SECOND };
    let (mut breaker, mut now) = (Breaker::new(policy), Instant::now());
    trip(&mut breaker, now);
    let mut open_times = Vec::new();
    for _ in 0..4 {
        now += 1000 * SECOND;
        open_times.push(call(&mut breaker, Outcome::Failure, now).unwrap().open_for.unwrap().as_secs());
    }
    assert_eq!(open_times, [60, 100, 100, 100]);
    now += 1000 * SECOND;
    call(&mut breaker, Outcome::Success, now);
    trip(&mut breaker, now);
    assert_eq!(refused(&mut breaker, now), Some(30 * SECOND), "a close starts it anew");
}

#[test]
fn jitter_only_adds() {
    for (random, open_for) in [(0.0, 30_000), (0.5, 31_500), (1.0, 33_000), (f64::NAN, 30_000), (7.0, 33_000)] {
        let (mut breaker, start) = (Breaker::new(three()), Instant::now());
        let mut opened = None;
        while opened.is_none() {
            let permit = permit(&mut breaker, start);
            opened = breaker.finish(permit, Outcome::Failure, start, random);
        }
        assert_eq!(opened.unwrap().open_for, Some(Duration::from_millis(open_for)), "{random}");
    }
}

#[test]
fn a_lease_comes_back_however_its_probe_ends() {
    for ending in [Outcome::Ignored, Outcome::Cancelled] {
        let (mut breaker, start) = (Breaker::new(three()), Instant::now());
        trip(&mut breaker, start);
        let later = start + 30 * SECOND;
        for _ in 0..10 {
            call(&mut breaker, ending, later);
        }
        assert_eq!(breaker.state(), State::HalfOpen, "{ending:?} decides nothing");
        assert_eq!(breaker.snapshot(later).probes, 0);
        call(&mut breaker, Outcome::Success, later);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn a_probe_that_is_never_heard_of_again_gives_way_to_another() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    trip(&mut breaker, start);
    let later = start + 30 * SECOND;
    let lost = permit(&mut breaker, later);
    assert!(refused(&mut breaker, later + 59 * SECOND).is_some());
    let second = permit(&mut breaker, later + 60 * SECOND);
    assert_eq!(breaker.finish(lost, Outcome::Failure, later + 61 * SECOND, 0.0), None, "it has no say any more");
    assert!(breaker.finish(second, Outcome::Success, later + 61 * SECOND, 0.0).is_some());
}

#[test]
fn a_result_from_before_it_opened_says_nothing_afterwards() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    let old: Vec<_> = (0..10).map(|_| permit(&mut breaker, start)).collect();
    trip(&mut breaker, start);
    let later = start + 30 * SECOND;
    call(&mut breaker, Outcome::Success, later);
    for permit in old {
        assert_eq!(breaker.finish(permit, Outcome::Failure, later, 0.0), None);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot(later).totals.failed, 13, "but all are counted");
}

#[test]
fn several_probes_go_out_at_once_and_all_must_succeed() {
    let policy = Policy { probes: number(3), ..three() };
    let (mut breaker, start) = (Breaker::new(policy), Instant::now());
    trip(&mut breaker, start);
    let later = start + 30 * SECOND;
    let probes: Vec<_> = (0..3).map(|_| permit(&mut breaker, later)).collect();
    assert!(refused(&mut breaker, later).is_some());
    let ended: Vec<_> =
        probes.into_iter().map(|probe| breaker.finish(probe, Outcome::Success, later, 0.0).is_some()).collect();
    assert_eq!(ended, [false, false, true]);
}

#[test]
fn a_failure_rate_needs_its_minimum_of_calls() {
    let rates =
        Rates { window: Window::Calls(number(10)), minimum_calls: number(4), failure: Percent::new(50), slow: None };
    let (mut breaker, start) = (Breaker::new(of_rates(rates)), Instant::now());
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success] {
        assert_eq!(call(&mut breaker, outcome, start), None);
    }
    let opened = call(&mut breaker, Outcome::Success, start).unwrap();
    assert_eq!(opened.cause.to_string(), "50% of 4 calls failed");
}

#[test]
fn only_the_last_calls_of_a_window_of_calls_are_rated() {
    let rates =
        Rates { window: Window::Calls(number(4)), minimum_calls: number(4), failure: Percent::new(100), slow: None };
    let (mut breaker, start) = (Breaker::new(of_rates(rates)), Instant::now());
    for _ in 0..100 {
        call(&mut breaker, Outcome::Success, start);
    }
    let opened: Vec<_> = (0..4).map(|_| call(&mut breaker, Outcome::Failure, start).is_some()).collect();
    assert_eq!(opened, [false, false, false, true]);
}

#[test]
fn a_window_of_time_forgets_what_is_older() {
    let rates =
        Rates { window: Window::Time(10 * SECOND), minimum_calls: number(2), failure: Percent::new(100), slow: None };
    let (mut breaker, start) = (Breaker::new(of_rates(rates)), Instant::now());
    for _ in 0..100 {
        call(&mut breaker, Outcome::Success, start);
    }
    let later = start + 11 * SECOND;
    assert_eq!(breaker.snapshot(later).calls, 0);
    assert_eq!(call(&mut breaker, Outcome::Failure, later), None);
    assert!(call(&mut breaker, Outcome::Failure, later).is_some());
}

#[test]
fn slow_calls_open_it_although_they_succeed_and_so_does_a_slow_probe() {
    let slow = Slow { after: 2 * SECOND, rate: Percent::new(50).unwrap() };
    let rates = Rates { window: Window::Calls(number(4)), minimum_calls: number(2), failure: None, slow: Some(slow) };
    let (mut breaker, start) = (Breaker::new(of_rates(rates)), Instant::now());
    call(&mut breaker, Outcome::Success, start);
    let first = permit(&mut breaker, start);
    let opened = breaker.finish(first, Outcome::Success, start + 2 * SECOND, 0.0).unwrap();
    assert_eq!(opened.cause.to_string(), "50% of 2 calls were slow");
    let later = start + 60 * SECOND;
    let probe = permit(&mut breaker, later);
    let again = breaker.finish(probe, Outcome::Success, later + 2 * SECOND, 0.0).unwrap();
    assert_eq!(again.cause, Cause::ProbeFailed);
}

#[test]
fn a_mode_overrules_the_calls() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    breaker.set_mode(Mode::ForcedOpen);
    assert!(refused(&mut breaker, start).is_some());
    breaker.set_mode(Mode::MetricsOnly);
    for _ in 0..10 {
        assert_eq!(call(&mut breaker, Outcome::Failure, start), None);
    }
    assert_eq!(breaker.snapshot(start).failures, 3, "as many as would have been enough");
    breaker.set_mode(Mode::Automatic);
    assert!(call(&mut breaker, Outcome::Failure, start).is_some());
    breaker.set_mode(Mode::Disabled);
    assert_eq!(refused(&mut breaker, start), None, "disabled lets pass what an open one would refuse");
}

#[test]
fn a_reset_closes_it_and_a_second_one_changes_nothing() {
    let (mut breaker, start) = (Breaker::new(three()), Instant::now());
    trip(&mut breaker, start);
    assert_eq!(breaker.reset().map(|transition| transition.cause), Some(Cause::Reset));
    assert_eq!(breaker.reset(), None);
    assert_eq!(refused(&mut breaker, start), None);
}

#[test]
fn a_policy_that_cannot_do_what_it_says_is_refused() {
    let zero = Duration::ZERO;
    let rates =
        Rates { window: Window::Calls(number(5)), minimum_calls: number(6), failure: Percent::new(50), slow: None };
    let open = |first, longest| OpenTime { time: Backoff { first, factor: 2, longest }, ..three().open };
    let failures = |count, within| Some(Failures { count: number(count), within });
    for (policy, error) in [
        (Policy { failures: None, ..three() }, PolicyError::NoRule),
        (Policy { failures: failures(3, zero), ..three() }, PolicyError::EmptyWindow),
        (Policy { failures: failures(1_000_000, SECOND), ..three() }, PolicyError::TooLarge { calls: 1_000_000 }),
        (Policy { rates: Some(rates), ..three() }, PolicyError::MinimumBeyondWindow { minimum: 6, window: 5 }),
        (Policy { open: open(zero, SECOND), ..three() }, PolicyError::OpenForNothing),
        (
            Policy { open: open(2 * SECOND, SECOND), ..three() },
            PolicyError::LongestBelowFirst { first: 2 * SECOND, longest: SECOND },
        ),
        (Policy { probe_timeout: zero, ..three() }, PolicyError::NoTimeToProbe),
    ] {
        assert_eq!(policy.checked(), Err(error));
    }
    let narrow = three().for_attempts_of(31 * SECOND).unwrap_err();
    assert_eq!(narrow, PolicyError::WindowBelowAttempts { window: 60 * SECOND, attempt: 31 * SECOND });
    for preset in [Policy::default(), Policy::stripe(), Policy::twilio(), Policy::namesilo(), Policy::openai()] {
        assert_eq!(preset.checked().and_then(|policy| policy.for_attempts_of(10 * SECOND)), Ok(preset));
    }
}

/// What happens to a breaker.
#[derive(Debug, Clone)]
enum Step {
    Acquire,
    Finish { which: usize, outcome: Outcome },
    Lose { which: usize },
    Wait(u32),
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome =
        prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Ignored), Just(Outcome::Cancelled)];
    prop_oneof![
        6 => Just(Step::Acquire),
        6 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Finish { which, outcome }),
        1 => any::<usize>().prop_map(|which| Step::Lose { which }),
        2 => (0_u32..100).prop_map(Step::Wait),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_leases_are_bounded_counts_add_up_and_it_always_comes_back(
        steps in prop::collection::vec(step(), 1..200), probes in 1_u32..4,
    ) {
        let policy = Policy { probes: number(probes), ..three() };
        let (mut breaker, mut now) = (Breaker::new(policy), Instant::now());
        let (mut out, mut lost, mut refused, mut finished) = (Vec::new(), 0_u64, 0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Acquire => match breaker.acquire(now).decision {
                    Decision::Admitted(permit) => out.push(permit),
                    Decision::Refused { retry_after } => {
                        prop_assert!(retry_after <= 33 * SECOND);
                        refused += 1;
                    }
                },
                Step::Finish { which, outcome } if !out.is_empty() => {
                    let permit = out.swap_remove(which % out.len());
                    breaker.finish(permit, outcome, now, 0.5);
                    finished += 1;
                }
                Step::Lose { which } if !out.is_empty() => {
                    drop(out.swap_remove(which % out.len()));
                    lost += 1;
                }
                Step::Finish { .. } | Step::Lose { .. } => {}
                Step::Wait(seconds) => now += seconds * SECOND,
                Step::Reset => drop(breaker.reset()),
            }
            let snapshot = breaker.snapshot(now);
            prop_assert!(snapshot.probes <= probes, "{snapshot:?}");
            let Totals { succeeded, failed, ignored, cancelled, .. } = snapshot.totals;
            prop_assert_eq!(succeeded + failed + ignored + cancelled, finished);
            prop_assert_eq!(snapshot.totals.refused, refused);
        }
        prop_assert!(lost <= 200);
        // Long enough for the open time and for every lost lease: calls that succeed always close it.
        now += 100 * SECOND;
        for _ in 0..probes {
            call(&mut breaker, Outcome::Success, now);
        }
        prop_assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn a_policy_is_said_in_two_numbers_and_one_that_makes_no_sense_is_not_made() {
    let minute = Duration::from_mins(1);
    let policy = Policy::after_failures(3, minute).unwrap().open_for(Duration::from_secs(30)).unwrap();
    assert_eq!(policy, Policy::stripe());
    assert_eq!(Policy::after_failures(0, minute), Err(PolicyError::NoRule));
    assert_eq!(Policy::after_failures(3, Duration::ZERO), Err(PolicyError::EmptyWindow));
    assert_eq!(Policy::default().open_for(Duration::ZERO), Err(PolicyError::OpenForNothing));
}
