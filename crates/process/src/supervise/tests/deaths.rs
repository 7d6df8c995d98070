//! Programs that die, hang, or are asked to start again.

use std::net::TcpStream;

use rustix::process::{Pid, Signal as RawSignal};

use super::*;

#[tokio::test]
async fn a_program_that_dies_three_times_ends_us_with_its_code() {
    let mut harness = worker("echo last words >&2; exit 7").start();
    let mut deaths = Vec::new();
    let failure = loop {
        match harness.report().await {
            Report::Died { ending, hung, restarting_in } => deaths.push((ending, hung, restarting_in.is_some())),
            Report::Failed(failure) => break failure,
            _ => {}
        }
    };
    let died = |again| (Ending::Exited(7), false, again);
    assert_eq!(deaths, [died(true), died(true), died(false)]);
    assert_eq!((failure.kind, failure.code), (FailureKind::GaveUp, ExitCode::Program(7)));
    assert!(failure.reason.starts_with("it died 3 times in 60s"), "{}", failure.reason);
    assert_eq!(failure.last_lines, ["last words"]);
    assert_eq!(harness.recorder.names().iter().filter(|name| **name == "app_restarting").count(), 2);
    assert_eq!(harness.stop(LONG).await, Stopped::default());
}

#[tokio::test]
async fn a_clean_exit_before_it_was_ready_is_no_success() {
    let failure = setup(sh("exit 0"), AppPort::Pick).start().failure().await;
    assert_eq!((failure.kind, failure.code), (FailureKind::GaveUp, ExitCode::NotReady));
}

#[tokio::test]
async fn a_policy_that_leaves_it_at_a_clean_exit_ends_us_with_it() {
    let mut built = worker("exit 0");
    built.setup.restart.policy = RestartPolicy::OnFailure;
    let failure = built.start().failure().await;
    assert_eq!((failure.kind, failure.code.number()), (FailureKind::Ended, 0));
}

#[tokio::test]
async fn a_server_that_is_killed_comes_back_and_is_ready_again() {
    let mut harness = setup(node_server("r.end()"), AppPort::Pick).start();
    let (pid, _) = harness.ready().await;
    rustix::process::kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), RawSignal::KILL).unwrap();
    let Report::Died { ending: Ending::Signalled(9), hung: false, restarting_in: Some(_) } = harness.report().await
    else {
        panic!("a death by signal 9");
    };
    let (again, address) = harness.ready().await;
    assert_ne!(again, pid);
    assert!(TcpStream::connect(address.unwrap()).is_ok());
    harness.stop(LONG).await;
}

#[tokio::test]
async fn what_a_dead_program_left_is_cleared_away_before_it_starts_again() {
    let mut harness = worker("sleep 300 & echo \"left $!\"; kill -9 $$").start();
    let left = harness.recorder.said_after("left ").await.parse().unwrap();
    harness.failure().await;
    gone(left).await;
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_and_started_again() {
    let body = "r.end(); if (q.url === '/hang') setTimeout(() => { for (;;); }, 10)";
    let mut built = setup(node_server(body), AppPort::Pick);
    built.setup.app.live_path = Some("/live".to_owned());
    built.setup.app.live_interval = Duration::from_millis(300);
    let mut harness = built.start();
    let (pid, address) = harness.ready().await;
    let address = address.unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    probe::get(address, stream, "/hang", Protocol::Auto).await.unwrap();
    let Report::Died { hung: true, .. } = harness.report().await else { panic!("a death by hanging") };
    let (again, _) = harness.ready().await;
    assert_ne!(again, pid);
    assert!(harness.recorder.names().contains(&"app_hangs"));
    harness.stop(LONG).await;
}

#[tokio::test]
async fn a_program_that_answers_others_does_not_hang_however_long_it_keeps_us_waiting() {
    let mut built = setup(node_server("console.log('asked')"), AppPort::Pick);
    built.setup.app.live_path = Some("/live".to_owned());
    built.setup.app.live_interval = Duration::from_millis(50);
    built.setup.app.live_failures = NonZeroU32::MIN;
    // Each look at the count finds one more response.
    let completed = built.completed.clone();
    built.setup.completed = Arc::new(move || completed.fetch_add(1, Ordering::Relaxed));
    let mut harness = built.start();
    let (pid, _) = harness.ready().await;
    let asked = |recorder: &Recorder| recorder.lines().iter().filter(|line| *line == "asked").count();
    harness.recorder.until(|recorder| (asked(recorder) >= 4).then_some(())).await;
    assert!(harness.supervisor.pids().contains(&pid));
    assert!(!harness.recorder.names().contains(&"app_hangs"));
    harness.stop(LONG).await;
}

#[tokio::test]
async fn a_stop_while_it_waits_to_come_back_is_immediate() {
    let mut built = worker("exit 1");
    built.setup.restart.backoff = LONG * 100;
    built.setup.restart.max_backoff = LONG * 100;
    let mut harness = built.start();
    while !matches!(harness.report().await, Report::Died { .. }) {}
    harness.recorder.until(|recorder| recorder.names().contains(&"app_restarting").then_some(())).await;
    assert_eq!(harness.stop(LONG).await, Stopped::default());
}

#[tokio::test]
async fn a_service_that_winds_down_starts_nothing_again() {
    let mut harness = worker("trap 'exit 0' USR1; echo up; while :; do sleep 0.02; done").start();
    let (pid, _) = harness.ready().await;
    harness.recorder.said("up").await;
    harness.supervisor.wind_down();
    rustix::process::kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), RawSignal::USR1).unwrap();
    let died = Report::Died { ending: Ending::Exited(0), hung: false, restarting_in: None };
    assert_eq!(harness.report().await, died);
    assert_eq!(harness.failure().await.kind, FailureKind::Ended);
    assert_eq!(harness.stop(LONG).await, Stopped::default());
}
