//! How programs end.

use std::time::Instant;

use super::*;

/// Says `told` when it gets a TERM, finishes its work, and ends.
const DRAINS: &str = "trap 'echo told; sleep 0.2; echo finished; exit 0' TERM; echo up; while :; do sleep 0.05; done";

#[tokio::test]
async fn a_service_behind_a_shell_hears_the_signal_and_finishes() {
    // The outer shell has no trap: it dies of the signal at once, and the service goes on without it.
    let mut command = sh("sh -c \"$1\"; true");
    command.extend(words(&["outer", DRAINS]));
    let mut harness = setup(command, AppPort::None).start();
    harness.ready().await;
    harness.recorder.said("up").await;
    let stopped = harness.stop(LONG).await;
    assert!(!stopped.killed, "{stopped:?}");
    let lines = harness.recorder.lines();
    assert!(lines.contains(&"told".to_owned()) && lines.contains(&"finished".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn a_service_started_by_npm_hears_the_signal_and_finishes() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("package.json"), r#"{"scripts": {"start": "node server.js"}}"#).unwrap();
    let server = node_server("r.end()")[2].clone();
    std::fs::write(directory.path().join("server.js"), server.as_encoded_bytes()).unwrap();
    let mut built = setup(words(&["npm", "start"]), AppPort::Pick);
    built.setup.app.cwd = Some(directory.path().to_owned());
    built.setup.app.env.insert("npm_config_update_notifier".to_owned(), crate::config::Secret::new("false".to_owned()));
    let mut harness = built.start();
    harness.ready().await;
    let stopped = harness.stop(LONG).await;
    assert!(!stopped.killed, "{stopped:?}");
    assert!(harness.recorder.lines().contains(&"draining".to_owned()), "{:?}", harness.recorder.lines());
    assert_eq!(harness.supervisor.pids(), [0_u32; 0]);
}

#[tokio::test]
async fn one_that_ignores_the_signal_is_killed_when_the_patience_is_over_with_all_it_started() {
    let mut harness = worker("trap '' TERM; sleep 300 & echo \"child $!\"; while :; do sleep 1; done").start();
    let (pid, _) = harness.ready().await;
    let child = harness.recorder.said_after("child ").await.parse().unwrap();
    let patience = Duration::from_millis(300);
    let began = Instant::now();
    let stopped = harness.stop(patience).await;
    assert!(began.elapsed() >= patience);
    assert_eq!(stopped, Stopped { ending: Some(Ending::Signalled(9)), killed: true });
    gone(pid).await;
    gone(child).await;
    assert!(harness.recorder.names().contains(&"app_killed"));
}

#[tokio::test]
async fn forcing_cuts_the_patience_short() {
    let mut harness = worker("trap 'echo deaf' TERM; echo up; while :; do sleep 0.05; done").start();
    harness.ready().await;
    harness.recorder.said("up").await;
    let supervisor = harness.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(LONG * 100).await });
    harness.recorder.said("deaf").await;
    harness.supervisor.force();
    let stopped = timeout(LONG, stop).await.unwrap().unwrap();
    assert!(stopped.killed);
}

#[tokio::test]
async fn what_outlives_a_graceful_program_is_ended_after_it() {
    let script =
        "trap '' HUP; sleep 300 & echo \"child $!\"; exec node -e 'console.log(\"up\"); setInterval(() => 0, 1000)'";
    let mut harness = worker(script).start();
    harness.ready().await;
    let child = harness.recorder.said_after("child ").await.parse().unwrap();
    harness.recorder.said("up").await;
    let stopped = harness.stop(LONG).await;
    assert_eq!(stopped, Stopped { ending: Some(Ending::Signalled(15)), killed: false });
    gone(child).await;
}

#[tokio::test]
async fn the_stop_follows_the_programs_own_end_at_once() {
    let mut harness = worker("trap 'date +%s%N; exit 0' TERM; echo up; while :; do sleep 0.01; done").start();
    harness.ready().await;
    harness.recorder.said("up").await;
    harness.stop(LONG).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let last = harness.recorder.lines().last().cloned().unwrap().parse::<u64>().unwrap();
    let after = now.saturating_sub(Duration::from_nanos(last));
    // The bar is 100 ms on a quiet machine.
    assert!(after < Duration::from_secs(1), "{after:?}");
}

#[tokio::test]
async fn a_program_that_was_suspended_hears_the_signal_too() {
    let mut harness = worker("trap 'exit 3' TERM; echo up; kill -STOP $$; while :; do sleep 0.05; done").start();
    harness.ready().await;
    harness.recorder.said("up").await;
    let stopped = harness.stop(LONG).await;
    assert_eq!(stopped, Stopped { ending: Some(Ending::Exited(3)), killed: false });
}

#[tokio::test]
async fn a_signal_passes_the_shell_by() {
    let mut command = sh("node -e \"$1\"; true");
    let script = "process.on('SIGUSR2', () => console.log('heard')); console.log('up'); setInterval(() => 0, 1000)";
    command.extend(words(&["outer", script]));
    let mut harness = setup(command, AppPort::None).start();
    let (pid, _) = harness.ready().await;
    harness.recorder.said("up").await;
    harness.supervisor.signal(Signal::Usr2);
    harness.recorder.said("heard").await;
    assert!(harness.supervisor.pids().contains(&pid));
    harness.stop(LONG).await;
}

#[tokio::test]
async fn a_program_that_nobody_can_stop_any_more_is_killed() {
    let mut harness = worker("exec sleep 300").start();
    let (pid, _) = harness.ready().await;
    drop(harness.supervisor);
    gone(pid).await;
}
