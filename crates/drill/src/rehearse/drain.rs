//! The drain: traffic, the stop signal, and what became of each request.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::Exchange;
use crate::client::exchange::offset;
use crate::context::{Context, Stage, Trouble};
use crate::program::Exit;
use crate::program::proc::Process;
use crate::program::roll;
use crate::timeline::Timeline;
use crate::traffic::{Kind, Parting, Traffic};

mod judge;

pub(crate) const REHEARSAL: Rehearsal = Rehearsal {
    name: "drain under traffic",
    covers: &[
        "drain.inflight-completes",
        "drain.new-connections-served-during-lag",
        "drain.ready-fails-first",
        "drain.live-holds",
        "drain.exit-code-zero",
        "drain.exits-in-grace",
        "drain.keepalive-told-to-close",
        "drain.upload-completes",
        "drain.no-orphans",
    ],
    touch: Touch::Stop,
    run: |context| Box::pin(run(context)),
};

/// Less lateness than this changes no verdict.
pub(crate) const NEGLIGIBLE: Duration = Duration::from_millis(100);

/// A quick request takes no longer, once it has a processor.
const QUICK: Duration = Duration::from_millis(300);

/// A second of ordinary traffic comes before the signal: what fails then was broken before the drain.
const BEFORE: Duration = Duration::from_millis(800);
const NEW_EVERY: Duration = Duration::from_millis(40);
const KEPT: usize = 4;
const KEPT_EVERY: Duration = Duration::from_millis(100);
const READY_EVERY: Duration = Duration::from_millis(50);
const LIVE_EVERY: Duration = Duration::from_millis(100);

const UPLOAD_PARTS: usize = 20;
const UPLOAD_PACE: Duration = Duration::from_millis(100);
/// What the uploads of a drain take, where nobody is late.
const UPLOAD_TAKES: Duration = Duration::from_secs(2);

/// What was seen. Judged without the service, so that the judgement can be tested.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) signal: Instant,
    /// When the balancer stopped sending here.
    pub(crate) stopped: Instant,
    /// How long, until then, drill and service were kept from the processors by others.
    pub(crate) late: Duration,
    pub(crate) exit: Option<Exit>,
    pub(crate) grace: Duration,
    pub(crate) lag: Duration,
    pub(crate) new: Vec<Exchange>,
    pub(crate) kept: Vec<Exchange>,
    pub(crate) slow: Vec<Exchange>,
    /// What a slow request takes, where nobody is late.
    pub(crate) slow_takes: Duration,
    pub(crate) uploads: Vec<Exchange>,
    /// None where there is no such path.
    pub(crate) ready: Option<Vec<Exchange>>,
    /// None where no path surely means liveness.
    pub(crate) live: Option<Vec<Exchange>>,
    pub(crate) partings: Vec<Parting>,
    pub(crate) orphans: Vec<Process>,
    /// What began while it ran and may be of it, or of another instance.
    pub(crate) unclear: Vec<Process>,
    /// The last lines of its log.
    pub(crate) tail: Vec<String>,
}

async fn run(context: &Context) -> Findings {
    let stage = context.to_be_stopped().await?;
    let facts = rehearse(context, &stage).await?;
    let timeline = Timeline::of(&facts);
    context.timeline(timeline);
    Ok(judge::judge(&facts))
}

async fn rehearse(context: &Context, stage: &Stage) -> Result<Facts, Trouble> {
    let plan = &context.plan;
    let survey = &context.survey;
    let limit = plan.grace + Duration::from_secs(5);
    let mut traffic = Traffic::new(&stage.target, limit);
    if let Some(path) = survey.ready_path() {
        traffic.probe(Kind::Ready, path, READY_EVERY);
    }
    if let Some(path) = survey.certain_live() {
        traffic.probe(Kind::Live, path, LIVE_EVERY);
    }
    traffic.open_connections(&survey.safe, NEW_EVERY);
    traffic.keep_connections(&survey.safe, KEPT, KEPT_EVERY);
    sleep(BEFORE).await;

    if let Some(path) = &survey.upload {
        // Two seconds of upload, the signal in the middle.
        for _ in 0..2 {
            traffic.upload(path, UPLOAD_PARTS, UPLOAD_PACE);
        }
        sleep(Duration::from_millis(700)).await;
    }
    if let Some(slow) = &survey.slow {
        for _ in 0..3 {
            traffic.slow(&slow.path);
        }
        // Long enough to have arrived, short enough to be far from done.
        sleep((slow.takes / 4).min(Duration::from_millis(250))).await;
    }

    traffic.signalled();
    let signal = stage.instance.signal(plan.stop_signal);
    let lag = plan.lag_after_signal();
    let stopped = loop {
        sleep(Duration::from_millis(10)).await;
        let seen_failing = survey.ready.as_ref().and_then(|_| traffic.journal.first_failure(Kind::Ready, signal));
        // Where readiness never says no, the orchestrator takes the endpoint out by itself.
        let until = seen_failing.map_or(signal + lag, |failed| failed.min(signal + lag) + lag);
        if Instant::now() >= until {
            break Instant::now();
        }
    };
    traffic.stop();
    let late = context.late(stage, signal);
    // The traffic ends by its own time limit; the exit is awaited meanwhile.
    let (exit, ()) = tokio::join!(context.exit_in_grace(stage, signal), async {
        traffic.settled().await;
    });
    let orphans = if exit.is_some() { leftovers(stage).await } else { Vec::new() };
    let unclear = roll::unclear();
    let tail = stage.instance.log.tail(5);
    if exit.is_none() {
        stage.instance.kill().await;
    }
    let partings = traffic.end().await;
    let of = |kind| traffic.journal.of(&[kind]);
    Ok(Facts {
        signal,
        stopped,
        late,
        exit,
        grace: plan.grace,
        lag,
        new: of(Kind::New),
        kept: of(Kind::Kept),
        slow: of(Kind::Slow),
        slow_takes: survey.slow.as_ref().map_or(Duration::ZERO, |slow| slow.takes),
        uploads: of(Kind::Upload),
        ready: survey.ready.as_ref().map(|_| of(Kind::Ready)),
        live: survey.certain_live().map(|_| of(Kind::Live)),
        partings,
        orphans,
        unclear,
        tail,
    })
}

/// What is left two seconds after the exit: workers may take a moment.
async fn leftovers(stage: &Stage) -> Vec<Process> {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let left = stage.instance.processes();
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

impl Facts {
    /// When the listener was first seen closed.
    pub(crate) fn first_refused(&self) -> Option<Instant> {
        let probes = [&self.ready, &self.live].into_iter().flatten().flatten();
        let all = self.new.iter().chain(&self.kept).chain(probes);
        let refused = all.filter(|exchange| exchange.outcome == crate::client::Outcome::Refused);
        refused.map(|exchange| exchange.begun).filter(|at| *at >= self.signal).min()
    }

    /// When readiness first answered no after the signal.
    pub(crate) fn ready_said_no(&self) -> Option<&Exchange> {
        let after = self.ready.iter().flatten().filter(|exchange| exchange.begun >= self.signal);
        after.filter(|exchange| exchange.status.is_some_and(|s| !(200..300).contains(&s))).min_by_key(|e| e.ended)
    }

    /// Whether this loss would have been one on a machine with time for everybody. A service is never early, so what was
    /// lost before `due` was lost for certain; what was lost later was so only if nobody was late.
    pub(crate) fn is_certain(&self, lost: &Exchange, due: Instant) -> bool {
        lost.ended < due || self.late < NEGLIGIBLE
    }

    /// Whether a quick request that was begun then would have been answered within the lag, late as everybody was.
    pub(crate) fn had_time(&self, asked: &Exchange) -> bool {
        asked.begun + self.late + QUICK < self.signal + self.lag
    }

    /// `+1.250 s`, from the signal.
    pub(crate) fn after(&self, at: Instant) -> String {
        offset(at, self.signal)
    }
}
