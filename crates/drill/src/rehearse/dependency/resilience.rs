//! Requests while a dependency hangs, resets, is slow or cuts its bytes.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::super::drain::NEGLIGIBLE;
use super::{HANGS, SETTLES, Scene};
use crate::client::Exchange;
use crate::finding::Finding;
use crate::toxic::Toxic;

impl Scene<'_> {
    pub(super) async fn hangs(&self) -> Vec<Finding> {
        const BOUNDED: &str = "resilience.blackhole-bounded";
        const PARTIAL: &str = "resilience.partial-service";
        let Some(path) = &self.dependency.path else { return vec![self.needs_path(BOUNDED), self.needs_path(PARTIAL)] };
        self.proxy.set(Toxic::BlackHole);
        let since = Instant::now();
        let safe = &self.context.survey.safe;
        let hanging = self.many(path, 20, HANGS);
        let others = async {
            sleep(Duration::from_millis(500)).await;
            let mut others = Vec::new();
            for _ in 0..3 {
                others.push(self.ask(safe, Duration::from_secs(2)).await);
            }
            others
        };
        let (hanging, others) = tokio::join!(hanging, others);
        self.proxy.set(Toxic::None);
        let stuck: Vec<_> = hanging.iter().filter(|asked| asked.status.is_none()).collect();
        let slowest = hanging.iter().map(Exchange::took).max().unwrap_or_default().as_secs_f64();
        let bounded = if stuck.is_empty() {
            Finding::pass(BOUNDED, format!("20 requests on a black hole were answered within {slowest:.1} s"))
        } else {
            let seen = format!(
                "{} of 20 requests had no answer after {HANGS:.0?} with {} black-holed",
                stuck.len(),
                self.name()
            );
            Finding::fail(BOUNDED, seen).with(stuck.iter().take(3).map(|asked| asked.evidence(since)))
        };
        let lost: Vec<_> = others.iter().filter(|asked| asked.outcome.is_loss()).collect();
        let partial = if path == safe {
            Finding::not_applicable(PARTIAL, "the safe path is the one that needs the dependency")
        } else if lost.is_empty() {
            Finding::pass(PARTIAL, format!("{safe} was answered while 20 requests hung on {}", self.name()))
        } else {
            Finding::fail(PARTIAL, format!("{safe} failed while 20 requests hung on {}", self.name()))
                .with(lost.iter().map(|asked| asked.evidence(since)))
        };
        self.well_again(path).await;
        vec![bounded, partial]
    }

    /// Between two scenes a breaker may close and a pool may fill.
    pub(super) async fn well_again(&self, path: &str) {
        let _ = self.ready_becomes(path, true).await;
    }

    pub(super) async fn retries(&self) -> Finding {
        const ID: &str = "resilience.retries-bounded";
        const ASKED: usize = 20;
        let Some(path) = &self.dependency.path else { return self.needs_path(ID) };
        // What checks in the background make of connections in the same time is taken off.
        self.proxy.set(Toxic::Reset);
        let quiet = self.proxy.accepted();
        sleep(Duration::from_secs(2)).await;
        let background = (self.proxy.accepted() - quiet) as f64 / 2.0;
        let (before, begun) = (self.proxy.accepted(), Instant::now());
        for _ in 0..ASKED {
            self.ask(path, HANGS).await;
        }
        let calls = (self.proxy.accepted() - before) as f64 - background * begun.elapsed().as_secs_f64();
        self.proxy.set(Toxic::None);
        self.well_again(path).await;
        let each = calls.max(0.0) / ASKED as f64;
        let seen = format!("{ASKED} requests made {each:.1} connections each to {}, which reset them", self.name());
        if each > 4.0 { Finding::fail(ID, seen) } else { Finding::pass(ID, seen) }
    }

    pub(super) async fn breaker(&self) -> Finding {
        const ID: &str = "resilience.breaker-limits-calls";
        const ASKED: usize = 60;
        let Some(path) = &self.dependency.path else { return self.needs_path(ID) };
        self.proxy.set(Toxic::Reset);
        let quiet = self.proxy.accepted();
        sleep(Duration::from_secs(2)).await;
        let background = (self.proxy.accepted() - quiet) as f64 / 2.0;
        let mut last = (0, Instant::now());
        for asked in 0..ASKED {
            if asked == ASKED - 20 {
                last = (self.proxy.accepted(), Instant::now());
            }
            self.ask(path, HANGS).await;
        }
        let calls = (self.proxy.accepted() - last.0) as f64 - background * last.1.elapsed().as_secs_f64();
        self.proxy.set(Toxic::None);
        self.well_again(path).await;
        let seen = format!("of the last 20 of {ASKED} requests {:.0} still reached {}", calls.max(0.0), self.name());
        if calls > 10.0 { Finding::fail(ID, seen) } else { Finding::pass(ID, seen) }
    }

    pub(super) async fn slow_lines(&self) -> Finding {
        const ID: &str = "resilience.slow-lines-bearable";
        let Some(path) = &self.dependency.path else { return self.needs_path(ID) };
        let lines = [
            ("byte by byte", Toxic::Slicer),
            ("at 20 KB/s", Toxic::Bandwidth(20_000)),
            ("with late ends", Toxic::SlowClose(Duration::from_secs(2))),
        ];
        let (since, mut lost, mut certain) = (Instant::now(), Vec::new(), false);
        for (name, toxic) in lines {
            self.proxy.set(toxic);
            let mut of_line = 0;
            for _ in 0..3 {
                let asked = self.ask(path, HANGS).await;
                if asked.outcome.is_loss() {
                    of_line += 1;
                    // Its own time limit may have passed while it had no processor; each time is no accident.
                    let late = self.context.slack(asked.begun) + self.stage.kept_waiting(&asked);
                    certain |= late < NEGLIGIBLE || of_line == 3;
                    lost.push(format!("{name}: {}", asked.evidence(since)));
                }
            }
            self.proxy.set(Toxic::None);
        }
        self.well_again(path).await;
        if lost.is_empty() {
            return Finding::pass(
                ID,
                format!("{} byte by byte, at 20 KB/s and with late ends: all understood", self.name()),
            );
        }
        let seen = format!("{} of 9 requests failed with {} on a slow line", lost.len(), self.name());
        if !certain {
            let seen = format!(
                "{seen}, while others kept the service from the processors: try it on a machine with less to do"
            );
            return Finding::not_proven(ID, seen).with(lost);
        }
        Finding::fail(ID, seen).with(lost)
    }

    pub(super) async fn pool(&self) -> Finding {
        const ID: &str = "resilience.pool-exhaustion-fails-fast";
        let Some(path) = &self.dependency.path else { return self.needs_path(ID) };
        self.proxy.set(Toxic::Latency(Duration::from_secs(3)));
        let since = Instant::now();
        let asked = self.many(path, 40, SETTLES).await;
        self.proxy.set(Toxic::None);
        let stuck: Vec<_> = asked.iter().filter(|asked| asked.status.is_none()).collect();
        let slowest = asked.iter().map(Exchange::took).max().unwrap_or_default().as_secs_f64();
        if stuck.is_empty() {
            return Finding::pass(
                ID,
                format!("40 requests on {} slowed by 3 s were answered within {slowest:.1} s", self.name()),
            );
        }
        Finding::fail(
            ID,
            format!(
                "{} of 40 requests had no answer after {SETTLES:.0?} with {} slowed by 3 s",
                stuck.len(),
                self.name()
            ),
        )
        .with(stuck.iter().take(3).map(|asked| asked.evidence(since)))
    }
}
