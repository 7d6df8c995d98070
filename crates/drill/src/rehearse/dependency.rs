//! Dependencies that are away, hang, or come back.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

mod probes;
mod resilience;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Exchange, Request, Target, exchange};
use crate::context::{Context, Stage, Trouble};
use crate::finding::{Finding, Verdict};
use crate::plan::Dependency;
use crate::toxic::{Proxy, redirect};

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
            let late = self.context.slack(begun) + self.stage.kept_waiting(&probe);
            let no = probe.status.is_some() && !good(&probe);
            if no || probe.took().saturating_sub(late) > PROBE || (probe.status.is_none() && late < PROBE) {
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

    fn needs_path(&self, id: &str) -> Finding {
        Finding::not_proven(id, format!("declare `path` of {}: a GET that needs it", self.name()))
    }
}

fn good(exchange: &Exchange) -> bool {
    exchange.status.is_some_and(|status| (200..300).contains(&status))
}
