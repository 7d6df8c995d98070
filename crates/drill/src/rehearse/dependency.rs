//! Dependencies that are away, hang, or come back.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Exchange, Request, Target, exchange};
use crate::context::{Context, Stage, Trouble};
use crate::finding::{Finding, Verdict};
use crate::plan::Dependency;
use crate::toxic::{Proxy, Toxic, redirect};

const COVERS: &[&str] = &[
    "probes.live-ignores-dependency",
    "probes.ready-follows-dependency",
    "probes.recovers-without-restart",
    "resilience.blackhole-bounded",
    "resilience.partial-service",
    "resilience.retries-bounded",
    "resilience.breaker-limits-calls",
    "resilience.slow-lines-bearable",
    "resilience.pool-exhaustion-fails-fast",
];

pub(crate) const REHEARSAL: Rehearsal =
    Rehearsal { name: "dependencies", covers: COVERS, touch: Touch::Control, run: |context| Box::pin(run(context)) };

/// Readiness and recovery may take so long: some check intervals.
const SETTLES: Duration = Duration::from_secs(15);
const HANGS: Duration = Duration::from_secs(10);
const PROBE: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_secs(3);

async fn run(context: &Context) -> Findings {
    let dependencies = &context.plan.dependencies;
    if dependencies.is_empty() {
        let none = |id: &&str| Finding::not_applicable(id, "no [[dependency]] was declared in drill.toml");
        return Ok(COVERS.iter().map(none).collect());
    }
    let mut all = Vec::new();
    for dependency in dependencies {
        all.extend(one(context, dependency).await?);
    }
    Ok(COVERS.iter().map(|id| worst(id, &all)).collect())
}

/// Of several dependencies the worst counts, and all are told.
fn worst(id: &str, all: &[Finding]) -> Finding {
    let rank = |finding: &&&Finding| match finding.verdict {
        Verdict::Fail => 0,
        Verdict::Error => 1,
        Verdict::NotProven => 3,
        Verdict::NotApplicable => 4,
        _ => 2,
    };
    let own: Vec<&Finding> = all.iter().filter(|finding| finding.check.id == id).collect();
    let Some(worst) = own.iter().min_by_key(rank) else { return Finding::error(id, "it was not tried") };
    (**worst).clone()
}

async fn one(context: &Context, dependency: &Dependency) -> Findings {
    let upstream = resolve(dependency)?;
    let proxy = Proxy::start(upstream).await.map_err(|error| Trouble::Other(format!("no toxic proxy: {error}")))?;
    let Some((_, _, value)) = redirect(&dependency.value, proxy.address) else {
        return Err(Trouble::Other(format!("{} holds no address that a proxy can stand in for", dependency.env)));
    };
    let stage = context.fresh_on(None, &[(dependency.env.clone(), value)]).await?;
    let scene = Scene { context, dependency, proxy, stage };
    // It must be used, or nothing that follows means anything.
    if let Some(path) = &dependency.path {
        let asked = scene.ask(path, HANGS).await;
        if asked.outcome.is_loss() {
            return Err(Trouble::Other(format!(
                "{path} fails though {} is there: {}",
                dependency.env,
                asked.evidence(asked.begun)
            )));
        }
    }
    let mut findings = vec![scene.slow_lines().await];
    findings.extend(scene.away().await);
    findings.extend(scene.hangs().await);
    findings.push(scene.retries().await);
    findings.push(scene.breaker().await);
    findings.push(scene.pool().await);
    Ok(findings)
}

fn resolve(dependency: &Dependency) -> Result<SocketAddr, Trouble> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let (host, port, _) = redirect(&dependency.value, nowhere)
        .ok_or_else(|| Trouble::Other(format!("{} holds no host and port", dependency.env)))?;
    let ip: Option<IpAddr> = if host == "localhost" { Some(IpAddr::from([127, 0, 0, 1])) } else { host.parse().ok() };
    let ip = ip.ok_or_else(|| {
        Trouble::Other(format!("{}: the host {host:?} is no IP address; give one by `value`", dependency.env))
    })?;
    Ok(SocketAddr::new(ip, port))
}

struct Scene<'a> {
    context: &'a Context,
    dependency: &'a Dependency,
    proxy: Proxy,
    stage: Stage,
}

impl Scene<'_> {
    fn target(&self) -> &Target {
        &self.stage.target
    }

    fn name(&self) -> &str {
        &self.dependency.env
    }

    async fn ask(&self, path: &str, limit: Duration) -> Exchange {
        exchange(self.target(), &Request::get(path), limit).await
    }

    async fn many(&self, path: &str, count: usize, limit: Duration) -> Vec<Exchange> {
        let mut asked = JoinSet::new();
        for _ in 0..count {
            let (target, request) = (self.target().clone(), Request::get(path));
            asked.spawn(async move { exchange(&target, &request, limit).await });
        }
        asked.join_all().await
    }

    /// Asks liveness for a while; those that were late or not 2xx.
    async fn live(&self, path: &str) -> (usize, Vec<Exchange>) {
        let (begun, mut bad, mut asked): (_, Vec<Exchange>, _) = (Instant::now(), Vec::new(), 0);
        while begun.elapsed() < WATCHED {
            let probe = self.ask(path, PROBE * 2).await;
            asked += 1;
            if !good(&probe) || probe.took() > PROBE + self.context.slack(begun) {
                bad.push(probe);
            }
            sleep(Duration::from_millis(200)).await;
        }
        (asked, bad)
    }

    /// Waits until readiness says `wanted`.
    async fn ready_becomes(&self, path: &str, wanted: bool) -> Option<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < SETTLES {
            // No answer is a no: a kubelet sees it so.
            if good(&self.ask(path, PROBE * 2).await) == wanted {
                return Some(begun.elapsed());
            }
            sleep(Duration::from_millis(100)).await;
        }
        None
    }

    async fn away(&self) -> Vec<Finding> {
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

    fn ignores(
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

    async fn follows(&self) -> Finding {
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

    async fn recovers(&self) -> Finding {
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

    fn needs_path(&self, id: &str) -> Finding {
        Finding::not_proven(id, format!("declare `path` of {}: a GET that needs it", self.name()))
    }

    async fn hangs(&self) -> Vec<Finding> {
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
    async fn well_again(&self, path: &str) {
        let _ = self.ready_becomes(path, true).await;
    }

    async fn retries(&self) -> Finding {
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

    async fn breaker(&self) -> Finding {
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

    async fn slow_lines(&self) -> Finding {
        const ID: &str = "resilience.slow-lines-bearable";
        let Some(path) = &self.dependency.path else { return self.needs_path(ID) };
        let lines = [
            ("byte by byte", Toxic::Slicer),
            ("at 20 KB/s", Toxic::Bandwidth(20_000)),
            ("with late ends", Toxic::SlowClose(Duration::from_secs(2))),
        ];
        let (since, mut lost) = (Instant::now(), Vec::new());
        for (name, toxic) in lines {
            self.proxy.set(toxic);
            for _ in 0..3 {
                let asked = self.ask(path, HANGS).await;
                if asked.outcome.is_loss() {
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
        Finding::fail(ID, format!("{} of 9 requests failed with {} on a slow line", lost.len(), self.name())).with(lost)
    }

    async fn pool(&self) -> Finding {
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

fn good(exchange: &Exchange) -> bool {
    exchange.status.is_some_and(|status| (200..300).contains(&status))
}
