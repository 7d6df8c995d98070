//! Orphans that come to us. A reaper that adopts waits for every child of its process, so it gets one of its own: these
//! tests run this very binary again.

use std::process::{Command, Output as ProcessOutput};

use super::*;

/// Set in the process of its own.
const INSIDE: &str = "SEAWORTHY_TEST_ADOPTS";

/// `None` inside; outside the output of the same test inside.
fn inside(test: &str) -> Option<ProcessOutput> {
    if std::env::var_os(INSIDE).is_some() {
        return None;
    }
    let test = format!("supervise::tests::adopting::{test}");
    let own = std::env::current_exe().unwrap();
    Some(Command::new(own).args([test.as_str(), "--exact", "--nocapture"]).env(INSIDE, "1").output().unwrap())
}

fn assert_passed(output: &ProcessOutput) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("passed inside"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn start(built: Built) -> Harness {
    let reaper = Reaper::start(built.recorder.clone()).unwrap();
    built.start_with(reaper)
}

#[tokio::test]
async fn an_orphan_is_reaped_and_said() {
    if let Some(output) = inside("an_orphan_is_reaped_and_said") {
        return assert_passed(&output);
    }
    let mut harness = start(worker("(sh -c 'echo \"orphan $$\"; exec sleep 0.1' &) ; exec sleep 300"));
    harness.ready().await;
    let orphan: u32 = harness.recorder.said_after("orphan ").await.parse().unwrap();
    let reaped = |event: &Event| matches!(event, Event::OrphanReaped { pid } if *pid == orphan);
    harness.recorder.until(|recorder| recorder.events.lock().unwrap().iter().any(reaped).then_some(())).await;
    assert!(!std::path::Path::new(&format!("/proc/{orphan}")).exists());
    harness.stop(LONG).await;
    println!("passed inside");
}

#[tokio::test]
async fn a_daemon_of_the_program_is_of_its_family_and_ends_with_it() {
    if let Some(output) = inside("a_daemon_of_the_program_is_of_its_family_and_ends_with_it") {
        return assert_passed(&output);
    }
    let mut harness = start(worker("(setsid sh -c 'echo \"daemon $$\"; exec sleep 300' &) ; exec sleep 300"));
    harness.ready().await;
    let daemon: u32 = harness.recorder.said_after("daemon ").await.parse().unwrap();
    assert!(harness.supervisor.pids().contains(&daemon));
    let stopped = harness.stop(LONG).await;
    assert!(!stopped.killed, "{stopped:?}");
    assert!(!std::path::Path::new(&format!("/proc/{daemon}")).exists());
    println!("passed inside");
}

#[tokio::test]
async fn a_program_that_goes_to_the_background_is_told_to_stay() {
    if let Some(output) = inside("a_program_that_goes_to_the_background_is_told_to_stay") {
        return assert_passed(&output);
    }
    let mut harness = start(setup(sh("setsid sleep 300 & sleep 0.1; exit 0"), AppPort::Pick));
    let failure = harness.failure().await;
    assert_eq!(failure.code, ExitCode::NotReady);
    assert!(failure.reason.starts_with("it went to the background"), "{}", failure.reason);
    println!("passed inside");
}
