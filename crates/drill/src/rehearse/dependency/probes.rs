//! Probes while a dependency is away, hangs, and comes back.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{HANGS, SETTLES, Scene};
use crate::client::Exchange;
use crate::finding::Finding;
use crate::toxic::Toxic;

impl Scene<'_> {
    pub(super) async fn away(&self) -> Vec<Finding> {
        self.proxy.set(Toxic::Reset);
        let begun = Instant::now();
        let ready = self.follows().await;
        let live_path = self.context.survey.certain_live();
        let while_reset = match live_path {
            Some(path) => Some(self.live(path).await),
            None => None,
        };
        // Long enough for pools to notice, and for those that give up to have done so.
        sleep(Duration::from_secs(3).saturating_sub(begun.elapsed())).await;
        self.proxy.set(Toxic::None);
        let recovered = self.recovers().await;
        self.proxy.set(Toxic::BlackHole);
        // Background checks run into it meanwhile.
        sleep(Duration::from_millis(700)).await;
        let while_hanging = match live_path {
            Some(path) => Some(self.live(path).await),
            None => None,
        };
        self.proxy.set(Toxic::None);
        vec![self.ignores(while_reset, while_hanging, begun), ready, recovered]
    }

    pub(super) fn ignores(
        &self,
        reset: Option<(usize, Vec<Exchange>)>,
        hanging: Option<(usize, Vec<Exchange>)>,
        since: Instant,
    ) -> Finding {
        const ID: &str = "probes.live-ignores-dependency";
        let (Some(reset), Some(hanging)) = (reset, hanging) else {
            return Finding::not_proven(ID, "no path surely means liveness: declare it with --live");
        };
        let bad: Vec<&Exchange> = reset.1.iter().chain(&hanging.1).collect();
        let asked = reset.0 + hanging.0;
        // One slow answer on a busy machine is none that follows a dependency.
        if bad.len() < 2 {
            return Finding::pass(
                ID,
                format!("{asked} answers while {} was away and while it hung, all 2xx within a second", self.name()),
            );
        }
        let seen = format!(
            "liveness failed {} of {} times while {} was away, {} of {} while it hung",
            reset.1.len(),
            reset.0,
            self.name(),
            hanging.1.len(),
            hanging.0
        );
        Finding::fail(ID, seen).with(bad.into_iter().map(|probe| probe.evidence(since)))
    }

    pub(super) async fn follows(&self) -> Finding {
        const ID: &str = "probes.ready-follows-dependency";
        let Some(path) = self.context.survey.ready_path() else {
            return Finding::not_proven(ID, "no readiness path: declare it with --ready");
        };
        match self.dependency.affects_ready {
            None => Finding::not_applicable(ID, format!("`affects` of {} was not declared", self.name())),
            Some(true) => match self.ready_becomes(path, false).await {
                Some(took) => Finding::pass(
                    ID,
                    format!("readiness said no {:.1} s after {} went away", took.as_secs_f64(), self.name()),
                ),
                None => {
                    Finding::fail(ID, format!("readiness still said yes {SETTLES:.0?} after {} went away", self.name()))
                }
            },
            Some(false) => match tokio::time::timeout(Duration::from_secs(5), self.ready_becomes(path, false)).await {
                Ok(Some(took)) => Finding::fail(
                    ID,
                    format!(
                        "readiness said no {:.1} s after {} went away, which it should not follow",
                        took.as_secs_f64(),
                        self.name()
                    ),
                ),
                _ => Finding::pass(ID, format!("readiness said yes for 5 s without {}", self.name())),
            },
        }
    }

    pub(super) async fn recovers(&self) -> Finding {
        const ID: &str = "probes.recovers-without-restart";
        let begun = Instant::now();
        let paths: Vec<&str> =
            [self.context.survey.ready_path(), self.dependency.path.as_deref()].into_iter().flatten().collect();
        if paths.is_empty() {
            return Finding::not_proven(ID, "neither a readiness path nor a `path` of the dependency is known");
        }
        for path in &paths {
            if self.ready_becomes(path, true).await.is_none() {
                let last = self.ask(path, HANGS).await;
                return Finding::fail(ID, format!("{path} is not well {SETTLES:.0?} after {} came back", self.name()))
                    .with([last.evidence(last.begun)]);
            }
        }
        if let Some(exit) = self.stage.instance.exit() {
            return Finding::fail(ID, format!("it had ended ({exit})"));
        }
        Finding::pass(
            ID,
            format!(
                "well {:.1} s after {} came back ({})",
                begun.elapsed().as_secs_f64(),
                self.name(),
                paths.join(", ")
            ),
        )
    }
}
