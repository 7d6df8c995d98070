//! Migrations and hooks.

use super::*;
use crate::config::Secret;

fn migration(name: &str, script: &str) -> Migration {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Migration { name: name.to_owned(), command, lock: None, timeout: LONG, env: BTreeMap::new() }
}

fn hook(script: &str, timeout: Duration) -> Hook {
    Hook { command: ["sh", "-c", script].map(str::to_owned).to_vec(), timeout }
}

#[tokio::test]
async fn migrations_run_in_order_before_each_start_with_their_own_variables() {
    let mut built = worker("echo app; sleep 0.01; exit 1");
    built.setup.restart.deaths = NonZeroU32::new(2).unwrap();
    built.setup.app.env.insert("SHARED".to_owned(), Secret::new("both".to_owned()));
    let mut first = migration("first", "echo \"first $SHARED $OWN\"");
    first.env.insert("OWN".to_owned(), Secret::new("mine".to_owned()));
    built.setup.migrations = vec![first, migration("second", "echo second")];
    let mut harness = built.start();
    harness.failure().await;
    let once = ["first both mine", "second", "app"];
    assert_eq!(harness.recorder.lines(), [once, once].concat());
    assert!(harness.recorder.texts().iter().any(|text| text.starts_with("migration first done in")));
}

#[tokio::test]
async fn a_migration_that_fails_keeps_the_program_from_starting_and_shows_what_it_said() {
    let mut built = worker("echo app");
    built.setup.migrations =
        vec![migration("schema", "echo 'no such table' >&2; exit 4"), migration("data", "echo data")];
    let mut harness = built.start();
    let failure = harness.failure().await;
    assert_eq!((failure.kind, failure.code), (FailureKind::MigrationFailed, ExitCode::NotReady));
    assert_eq!(failure.reason, "migration schema failed: it ended with exit code 4");
    assert_eq!(failure.last_lines, ["no such table"]);
    assert_eq!(harness.recorder.lines(), ["no such table"]);
}

#[tokio::test]
async fn a_migration_that_takes_too_long_is_killed_with_its_group() {
    let mut built = worker("echo app");
    let mut slow = migration("slow", "sleep 300 & echo \"child $!\"; wait");
    slow.timeout = Duration::from_millis(300);
    built.setup.migrations = vec![slow];
    let mut harness = built.start();
    let failure = harness.failure().await;
    assert!(failure.reason.ends_with("it took longer than 300ms and was killed"), "{}", failure.reason);
    gone(harness.recorder.said_after("child ").await.parse().unwrap()).await;
}

#[tokio::test]
async fn a_stop_during_a_migration_lets_it_roll_back() {
    let mut built = worker("echo app");
    let script = "trap 'echo rolled back; exit 1' TERM; echo begun; while :; do sleep 0.02; done";
    built.setup.migrations = vec![migration("slow", script)];
    let harness = built.start();
    harness.recorder.said("begun").await;
    assert_eq!(harness.stop(LONG).await, Stopped::default());
    let lines = harness.recorder.lines();
    assert!(lines.contains(&"rolled back".to_owned()) && !lines.contains(&"app".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn a_migration_that_does_not_end_is_killed_when_the_patience_is_over() {
    let mut built = worker("echo app");
    built.setup.migrations = vec![migration("deaf", "trap '' TERM; echo \"pid $$\"; while :; do sleep 0.1; done")];
    let harness = built.start();
    let pid = harness.recorder.said_after("pid ").await.parse().unwrap();
    assert_eq!(harness.stop(Duration::from_millis(200)).await, Stopped::default());
    gone(pid).await;
    assert!(!harness.recorder.lines().contains(&"app".to_owned()));
}

#[tokio::test]
async fn a_hook_that_fails_or_hangs_is_reported_and_the_next_one_runs() {
    let mut harness = worker("exec sleep 300").start();
    harness.ready().await;
    let hooks = [
        hook("exit 5", LONG),
        hook("sleep 300 & echo \"child $!\"; wait", Duration::from_millis(300)),
        hook("echo third", LONG),
    ];
    harness.commands.hooks("stop.before", &hooks).await;
    let texts = harness.recorder.texts();
    assert!(texts.contains(&"stop.before hook sh failed: it ended with exit code 5".to_owned()), "{texts:?}");
    assert!(texts.iter().any(|text| text.ends_with("it took longer than 300ms and was killed")), "{texts:?}");
    assert!(harness.recorder.lines().contains(&"third".to_owned()));
    gone(harness.recorder.said_after("child ").await.parse().unwrap()).await;
    harness.stop(LONG).await;
}

#[tokio::test]
async fn a_hook_knows_the_port_of_the_program_while_it_runs() {
    let mut harness = setup(node_server("r.end()"), AppPort::Pick).start();
    let (_, address) = harness.ready().await;
    let hooks = [hook("echo \"port ${PORT-none}\"", LONG)];
    harness.commands.hooks("stop.before", &hooks).await;
    harness.stop(LONG).await;
    assert!(harness.recorder.lines().contains(&format!("port {}", address.unwrap().port())));
    harness.commands.hooks("stop.after", &hooks).await;
    assert!(harness.recorder.lines().contains(&"port none".to_owned()));
}
