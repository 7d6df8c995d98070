use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::event::Nowhere;
use seaworthy_core::lifecycle::State;

use super::*;
use crate::testing::{Events, FakeCheck};

const SECOND: Duration = Duration::from_secs(1);

async fn pass(seconds: u64) {
    for _ in 0..seconds * 10 {
        tokio::time::sleep(SECOND / 10).await;
    }
}

fn of(check: &FakeCheck) -> Health {
    Health::builder().dependency("database", check.dependency(Affects::Ready)).build()
}

fn status(health: &Health) -> Status {
    health.check("database").unwrap().status
}

#[tokio::test(start_paused = true)]
async fn until_a_check_has_run_readiness_is_withheld() {
    let health = of(&FakeCheck::default());
    assert_eq!(status(&health), Status::Pending);
    assert!(!health.snapshot().ready(State::Ready));
    health.start(Arc::new(Nowhere));
    pass(1).await;
    assert!(health.snapshot().ready(State::Ready));
}

#[tokio::test(start_paused = true)]
async fn one_failure_is_repeated_soon_and_two_are_an_outage() {
    let (check, events) = (FakeCheck::default(), Events::default());
    let health = of(&check);
    health.start(Arc::new(events.clone()));
    pass(1).await;
    check.fail(Class::Refused);
    let before = check.runs();
    pass(31).await;
    assert_eq!(check.runs(), before + 2, "the second a second after the first");
    assert_eq!(status(&health), Status::Unhealthy);
    check.pass();
    pass(31).await;
    assert_eq!(status(&health), Status::Healthy);
    events.assert_said(&["check_passed", "check_failed", "check_passed"]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_times_out_and_never_runs_twice_at_once() {
    let check = FakeCheck::default();
    let health = of(&check);
    health.start(Arc::new(Nowhere));
    pass(1).await;
    check.hang();
    pass(60).await;
    let known = health.check("database").unwrap();
    assert_eq!((known.status, known.class), (Status::Unhealthy, Some(Class::Timeout)));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_fails_and_runs_again() {
    let health = Health::builder().check("database", Affects::Ready, || async { panic!("asked to") }).build();
    health.start(Arc::new(Nowhere));
    pass(3).await;
    let known = health.check("database").unwrap();
    assert_eq!(known.status, Status::Unhealthy);
    assert_eq!(known.error.as_deref(), Some("the check panicked: asked to"));
    assert!(known.failures.total() >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_warning_degrades_at_once_and_withholds_nothing() {
    let check = FakeCheck::default();
    let health = of(&check);
    check.warn();
    health.start(Arc::new(Nowhere));
    pass(1).await;
    assert_eq!(status(&health), Status::Degraded);
    assert!(health.snapshot().ready(State::Ready));
    assert_eq!(health.snapshot().overall(State::Ready), Overall::Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_check_may_come_and_go_while_the_service_runs() {
    let health = Health::default();
    health.start(Arc::new(Nowhere));
    let check = FakeCheck::default();
    health.register("database", check.dependency(Affects::Ready)).unwrap();
    assert!(!health.snapshot().ready(State::Ready));
    pass(1).await;
    assert!(health.snapshot().ready(State::Ready));
    assert!(health.unregister("database") && !health.unregister("database"));
    assert_eq!(health.check("database").map(|check| check.name), None);
    let runs = check.runs();
    pass(60).await;
    assert_eq!(check.runs(), runs);
}

#[tokio::test]
async fn a_guard_that_is_dropped_without_a_word_fails_closed() {
    let health = Health::default();
    let ready = || health.snapshot().ready(State::Ready);
    let guard = health.guard("consumer").unwrap();
    assert!(!ready());
    guard.ready();
    assert!(ready());
    guard.not_ready("the broker is gone");
    assert!(!ready());
    assert_eq!(health.check("consumer").unwrap().error.as_deref(), Some("the broker is gone"));
    guard.ready();
    guard.release();
    assert!(ready());
    drop(health.guard("other").unwrap());
    assert!(!ready());
}

#[tokio::test]
async fn the_start_is_complete_when_every_part_was_marked() {
    let health = Health::builder().initializes("cache").initializes("index").build();
    let started = || health.snapshot().started(State::Ready);
    assert!(health.mark_initialized("cache") && !started());
    assert!(health.mark_initialized("index") && started());
    assert!(!health.mark_initialized("what nobody named"));
}

#[tokio::test(start_paused = true)]
async fn dependencies_are_said_name_by_name() {
    let check = FakeCheck::default();
    let health = Health::builder()
        .dependency("database", check.dependency(Affects::Health))
        .require_env("PATH")
        .require_env("NO_SUCH_VARIABLE_OF_ANYBODY")
        .build();
    health.start(Arc::new(Nowhere));
    pass(1).await;
    let Satisfaction { satisfied, missing, details } = health.dependencies();
    assert_eq!((satisfied, missing), (false, vec!["NO_SUCH_VARIABLE_OF_ANYBODY".to_owned()]));
    let expected = [("NO_SUCH_VARIABLE_OF_ANYBODY", false), ("PATH", true), ("database", true)];
    assert_eq!(details, expected.map(|(name, there)| (name.to_owned(), there)).into());
    assert!(!health.snapshot().ready(State::Ready));
}

#[test]
fn all_problems_of_the_checks_are_kept() {
    let check = || FakeCheck::default().dependency(Affects::Ready);
    let health = Health::builder()
        .dependency("a", check())
        .dependency("a", check())
        .dependency("", check())
        .dependency("slow", check().every(SECOND).within(2 * SECOND))
        .dependency("never", check().every(Duration::ZERO))
        .dependency("b", check().depends_on("c"))
        .dependency("c", check().depends_on("b").depends_on("nobody"))
        .build();
    let problems: Vec<_> = health.problems().iter().map(ToString::to_string).collect();
    for part in [
        "two checks are called \"a\"",
        "a check has no name",
        "check \"slow\" may take 2s, but is asked every 1s",
        "check \"never\" is asked every 0s",
        "checks b → c → b depend on each other in a circle",
        "check \"c\" depends on \"nobody\", which is no check",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} is not in {problems:#?}");
    }
}

#[test]
fn an_error_is_classed_by_what_caused_it_and_tells_no_password() {
    let refused = CheckError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
    assert!(matches!(refused.outcome(), Outcome::Failed { class: Class::Refused, .. }));
    let Outcome::Failed { class, error } = CheckError::condition("redis://:hunter2@cache is full").outcome() else {
        panic!("a condition is a failure");
    };
    assert_eq!((class, error.contains("hunter2")), (Class::Condition, false), "{error}");
}
