//! What runs while a service ends: hooks, phase by phase, each within its time.
//!
//! # Rules
//!
//! - Phases run in their order; the hooks of one run at the same time.
//! - A hook that fails, panics or is late is reported and stops nothing else: what comes after it is let go of all the same.
//! - No phase outlasts the grace: each has what is left of it, less a second for the last words and one for each phase behind it (or its
//!   stated time), so that one that hangs leaves time to close the database; or its own time where one was stated.
//! - [`Phase::Telemetry`] has a second, unless another time was stated.
//! - A stop that is forced skips what has not begun, but for [`Phase::Telemetry`].
//!
//! A hook that blocks its thread instead of awaiting cannot be ended; on a runtime with several threads the others go on.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use seaworthy::shutdown::HookResult;
//! use seaworthy::{Phase, Production};
//!
//! async fn flush_orders() -> HookResult {
//!     std::fs::write("/dev/null", "the last orders")?;
//!     Ok(())
//! }
//!
//! Production::builder("orders", "1.0.0")
//!     .on_shutdown(Phase::Queues, flush_orders)
//!     .phase_timeout(Phase::Queues, Duration::from_secs(1))
//!     .build()?;
//! # Ok::<(), seaworthy::production::BuildError>(())
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::lifecycle::FLUSH;
use seaworthy_core::redact::Redactor;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::lifecycle::Lifecycle;
use crate::panic::message_of;
use crate::phase::Phase;

/// What a hook, or background work, comes to. The error is reported and stops nothing.
pub type HookResult = Result<(), Box<dyn Error + Send + Sync>>;

/// What one phase that takes too long leaves to each of those behind it.
const KEPT: Duration = Duration::from_secs(1);

type Run = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = HookResult> + Send>> + Send>;

/// Something to be done at the end.
pub(crate) struct Hook {
    phase: Phase,
    place: &'static Location<'static>,
    run: Run,
}

impl Hook {
    pub(crate) fn new<F, W>(phase: Phase, place: &'static Location<'static>, hook: F) -> Self
    where
        F: FnOnce() -> W + Send + 'static,
        W: Future<Output = HookResult> + Send + 'static,
    {
        // The hook itself is called within its task, so that a panic in it is caught there too.
        Self { phase, place, run: Box::new(move || Box::pin(async move { hook().await })) }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("phase", &self.phase).field("place", &self.place).finish_non_exhaustive()
    }
}

/// The end of a service behind its HTTP.
pub(crate) struct Shutdown {
    phases: BTreeMap<Phase, Vec<Hook>>,
    terms: Terms,
}

/// On which terms phases are held. Apart from the hooks, which only one may have at a time.
struct Terms {
    /// The time of the phases for which one was stated.
    timeouts: BTreeMap<Phase, Duration>,
    life: Lifecycle,
    sink: Arc<dyn Sink>,
    /// When the platform kills.
    deadline: Instant,
}

impl Shutdown {
    pub(crate) fn new(
        hooks: Vec<Hook>,
        timeouts: BTreeMap<Phase, Duration>,
        life: Lifecycle,
        sink: Arc<dyn Sink>,
        deadline: Instant,
    ) -> Self {
        let mut phases: BTreeMap<Phase, Vec<Hook>> = BTreeMap::new();
        // Held without a hook too: it is where background work is waited for.
        phases.entry(Phase::Workers).or_default();
        for hook in hooks {
            phases.entry(hook.phase).or_default().push(hook);
        }
        Self { phases, terms: Terms { timeouts, life, sink, deadline } }
    }

    /// Holds the phases before `end`. Gives how much of them failed.
    pub(crate) async fn run_before(&mut self, end: Phase) -> u32 {
        let rest = self.phases.split_off(&end);
        let now = std::mem::replace(&mut self.phases, rest);
        self.terms.run(now).await
    }

    /// Holds the phases that are left. Gives how much of them failed.
    pub(crate) async fn run_rest(&mut self) -> u32 {
        let now = std::mem::take(&mut self.phases);
        self.terms.run(now).await
    }
}

impl Terms {
    async fn run(&self, phases: BTreeMap<Phase, Vec<Hook>>) -> u32 {
        let mut failed = 0;
        let mut behind: VecDeque<Phase> = phases.keys().copied().collect();
        for (phase, hooks) in phases {
            behind.pop_front();
            if self.life.is_forced() && phase < Phase::Telemetry {
                for hook in &hooks {
                    self.failed(&what(phase, hook.place), "skipped: the stop was forced");
                }
                failed += hooks.len();
                continue;
            }
            failed += self.hold(phase, hooks, self.patience(phase, &behind)).await;
        }
        u32::try_from(failed).unwrap_or(u32::MAX)
    }

    /// How long a phase may take, with those behind it still to be held.
    fn patience(&self, phase: Phase, behind: &VecDeque<Phase>) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let stated = self.timeouts.get(&phase).copied();
        if phase >= Phase::Telemetry {
            // The last words have the second that is kept for them. Behind them the log is still to be flushed, within the grace.
            return stated.unwrap_or(FLUSH).min(left.max(FLUSH));
        }
        let left = left.saturating_sub(FLUSH);
        if let Some(stated) = stated {
            return stated.min(left);
        }
        let kept = behind.iter().map(|phase| self.timeouts.get(phase).copied().unwrap_or(KEPT)).sum::<Duration>();
        let others = u32::try_from(behind.len()).unwrap_or(u32::MAX);
        // Where there is less than that, they share what there is.
        left.saturating_sub(kept).max(left / others.saturating_add(1))
    }

    /// Holds one phase. Gives how much of it failed.
    async fn hold(&self, phase: Phase, hooks: Vec<Hook>, patience: Duration) -> usize {
        let mut running = JoinSet::new();
        for Hook { place, run, .. } in hooks {
            let (sink, what) = (self.sink.clone(), what(phase, place));
            running.spawn(async move { finish(&*sink, &what, run, patience).await });
        }
        let mut failed = 0;
        let all = async {
            while let Some(ended) = running.join_next().await {
                failed += usize::from(!matches!(ended, Ok(true)));
            }
        };
        let forced = async {
            if phase < Phase::Telemetry {
                self.life.forced().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let beacons = async { if phase == Phase::Workers { self.beacons(patience).await } else { 0 } };
        let left = tokio::select! {
            ((), left) = async { tokio::join!(all, beacons) } => return failed + left,
            () = forced => running.len(),
        };
        self.failed(&format!("phase {phase}"), "given up: the stop was forced");
        left.max(1)
    }

    async fn beacons(&self, patience: Duration) -> usize {
        let beacons = self.life.beacons();
        beacons.stop();
        if timeout(patience, beacons.gone()).await.is_ok() {
            return 0;
        }
        let left = beacons.left();
        for name in &left {
            self.failed(&format!("background work {name:?}"), &format!("had not ended after {patience:.1?}"));
        }
        left.len()
    }

    fn failed(&self, what: &str, reason: &str) {
        self.sink.emit(&Event::CommandFailed { what: what.to_owned(), reason: reason.to_owned() });
    }
}

fn what(phase: Phase, place: &Location<'_>) -> String {
    format!("shutdown hook of phase {phase} at {}:{}", place.file(), place.line())
}

/// Runs one hook and reports how it went. Gives whether it went well.
async fn finish(sink: &dyn Sink, what: &str, run: Run, patience: Duration) -> bool {
    let began = Instant::now();
    // In a task of its own: only so can a panic be told from an end, and a hook be left behind that takes too long.
    let mut task = JoinSet::new();
    task.spawn(async move { run().await });
    let reason = match timeout(patience, task.join_next()).await {
        Ok(None | Some(Ok(Ok(())))) => {
            sink.emit(&Event::CommandRan { what: what.to_owned(), took: began.elapsed() });
            return true;
        }
        // Drivers like to quote the address of what they could not reach, with its password.
        Ok(Some(Ok(Err(error)))) => Redactor::default().text(&error.to_string()).into_owned(),
        Ok(Some(Err(error))) => match error.try_into_panic() {
            Ok(panic) => format!("panicked: {}", message_of(panic.as_ref())),
            Err(_) => "was cancelled".to_owned(),
        },
        Err(_) => format!("had not ended after {patience:.1?}"),
    };
    sink.emit(&Event::CommandFailed { what: what.to_owned(), reason });
    false
}

#[cfg(test)]
mod tests;
