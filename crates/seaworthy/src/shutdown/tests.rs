//! How phases share what is left of the grace.

use std::sync::Mutex;

use seaworthy_core::lifecycle::Cause;
use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What was said, and when, in seconds since the start.
#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Sink for Said {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.to_string());
    }
}

impl Said {
    fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

fn hook<W>(phase: Phase, work: fn() -> W) -> Hook
where
    W: Future<Output = HookResult> + Send + 'static,
{
    Hook::new(phase, Location::caller(), work)
}

fn hangs(phase: Phase) -> Hook {
    hook(phase, std::future::pending)
}

/// Takes most of the second that every phase is left with.
fn closes(phase: Phase) -> Hook {
    hook(phase, || async {
        sleep(SECOND * 9 / 10).await;
        Ok(())
    })
}

/// Holds all phases with ten seconds left. Gives how much failed and how long it took.
async fn run(hooks: Vec<Hook>, stated: &[(Phase, Duration)], said: &Arc<Said>) -> (u32, Duration) {
    let began = Instant::now();
    let stated = stated.iter().copied().collect();
    let mut shutdown = Shutdown::new(hooks, stated, Lifecycle::default(), said.clone(), began + 10 * SECOND);
    let failed = shutdown.run_before(Phase::Telemetry).await + shutdown.run_rest().await;
    (failed, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_leaves_time_for_what_is_closed_after_it() {
    let said = Arc::new(Said::default());
    let hooks = vec![hangs(Phase::Queues), closes(Phase::Caches), closes(Phase::Databases), closes(Phase::Telemetry)];
    let (failed, took) = run(hooks, &[], &said).await;
    assert_eq!(failed, 1, "{}", said.all());
    assert!(said.all().contains("had not ended after 7.0s"), "{}", said.all());
    assert!(took <= 10 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn background_work_that_hangs_leaves_time_too() {
    let said = Arc::new(Said::default());
    let life = Lifecycle::default();
    let _held = life.background_work("import");
    let deadline = Instant::now() + 10 * SECOND;
    let hooks = vec![closes(Phase::Databases)];
    let mut shutdown = Shutdown::new(hooks, BTreeMap::new(), life, said.clone(), deadline);
    assert_eq!(shutdown.run_before(Phase::Telemetry).await, 1, "{}", said.all());
    assert!(said.all().contains("phase databases at") && said.all().contains("done in 900"), "{}", said.all());
}

#[tokio::test(start_paused = true)]
async fn what_was_stated_for_a_later_phase_is_kept_for_it() {
    let said = Arc::new(Said::default());
    let hooks = vec![hangs(Phase::Queues), hangs(Phase::Databases)];
    let (failed, _) = run(hooks, &[(Phase::Databases, 3 * SECOND)], &said).await;
    assert_eq!(failed, 2);
    let said = said.all();
    assert!(said.contains("had not ended after 6.0s") && said.contains("had not ended after 3.0s"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_not_a_second_for_each_they_share_what_there_is() {
    let said = Arc::new(Said::default());
    let phases = [Phase::Http, Phase::Queues, Phase::Caches, Phase::Databases];
    let hooks = phases.map(hangs).into_iter().collect();
    // The phase of background work is among them, whether there is some or not.
    let mut shutdown =
        Shutdown::new(hooks, BTreeMap::new(), Lifecycle::default(), said.clone(), Instant::now() + 2 * SECOND);
    assert_eq!(shutdown.run_before(Phase::Telemetry).await, 4);
    assert!(!said.all().contains("after 0"), "{}", said.all());
}

#[tokio::test(start_paused = true)]
async fn the_last_words_have_a_second_or_what_was_stated() {
    let said = Arc::new(Said::default());
    let (failed, took) = run(vec![hangs(Phase::Telemetry)], &[], &said).await;
    assert_eq!((failed, took.as_secs()), (1, 1), "{}", said.all());
    let (_, took) = run(vec![hangs(Phase::Telemetry)], &[(Phase::Telemetry, 3 * SECOND)], &said).await;
    assert_eq!(took.as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_forced_stop_skips_all_but_the_last_words() {
    let said = Arc::new(Said::default());
    let life = Lifecycle::default();
    life.force(Cause::Sigint);
    let hooks = vec![closes(Phase::Databases), closes(Phase::Telemetry)];
    let mut shutdown = Shutdown::new(hooks, BTreeMap::new(), life, said.clone(), Instant::now() + 10 * SECOND);
    assert_eq!(shutdown.run_before(Phase::Telemetry).await, 1);
    assert_eq!(shutdown.run_rest().await, 0, "{}", said.all());
    assert!(said.all().contains("skipped: the stop was forced"), "{}", said.all());
}
