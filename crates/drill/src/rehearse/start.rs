//! The start: when readiness says yes, and whether it is true; and whether the two probes are two questions.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Exchange, Request, exchange};
use crate::context::Context;
use crate::finding::Finding;

pub(crate) const REHEARSAL: Rehearsal = Rehearsal {
    name: "start",
    covers: &["probes.ready-waits-for-start", "probes.ready-is-not-live", "probes.startup-in-time"],
    touch: Touch::Control,
    run: |context| Box::pin(run(context)),
};

const LIMIT: Duration = Duration::from_secs(5);

/// Fewer answers of both probes together show nothing: a drain may have been over before they were asked.
const ENOUGH: usize = 5;

/// After the first yes, requests must be served for so long.
const WATCHED: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct Seen {
    /// Both probes, asked one after the other: statuses, `None` without an answer.
    pairs: Vec<(Option<u16>, Option<u16>)>,
    ready_at: Option<Duration>,
    served_at: Option<Duration>,
    after_ready: Vec<Exchange>,
}

async fn run(context: &Context) -> Findings {
    let instance = context.spawn(None, &[])?;
    let mut target = context.target(&instance);
    let survey = &context.survey;
    let deadline = instance.spawned + context.plan.start_timeout;
    let safe = Request::get(&survey.safe);
    let mut seen = Seen::default();
    // Two addresses until one of them has answered: the program chooses where it listens.
    let other = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, instance.port));
    let mut settled = false;
    while seen.ready_at.is_none() && Instant::now() < deadline && instance.exit().is_none() {
        let pair = ask_both(context, &target).await;
        let answered = exchange(&target, &safe, LIMIT).await;
        settled |= answered.status.is_some();
        if !settled {
            target.address = if target.address == other { instance.address } else { other };
        }
        if answered.status.is_some_and(|status| status < 500) {
            seen.served_at.get_or_insert(instance.spawned.elapsed());
        }
        let ready = pair.1.is_some_and(|status| (200..300).contains(&status));
        if ready || (survey.ready.is_none() && seen.served_at.is_some()) {
            seen.ready_at = Some(instance.spawned.elapsed());
        }
        seen.pairs.push(pair);
        sleep(Duration::from_millis(10)).await;
    }
    let watched = Instant::now();
    while seen.ready_at.is_some() && watched.elapsed() < WATCHED {
        seen.after_ready.push(exchange(&target, &safe, LIMIT).await);
        sleep(Duration::from_millis(40)).await;
    }
    let signal = instance.signal(context.plan.stop_signal);
    while instance.exit().is_none() && signal.elapsed() < context.plan.lag.max(Duration::from_secs(1)) {
        let pair = ask_both(context, &target).await;
        seen.pairs.push(pair);
        sleep(Duration::from_millis(20)).await;
    }
    let tail = instance.log.tail(5);
    instance.kill().await;
    Ok(vec![waits(context, &seen), two_questions(context, &seen), in_time(context, &seen, &tail)])
}

async fn ask_both(context: &Context, target: &crate::client::Target) -> (Option<u16>, Option<u16>) {
    let ask = async |path: Option<&str>| match path {
        Some(path) => exchange(target, &Request::get(path), LIMIT).await.status,
        None => None,
    };
    (ask(context.survey.certain_live()).await, ask(context.survey.ready_path()).await)
}

fn waits(context: &Context, seen: &Seen) -> Finding {
    const ID: &str = "probes.ready-waits-for-start";
    if context.survey.ready.is_none() {
        return Finding::not_applicable(ID, "no readiness path among the known names: declare it with --ready");
    }
    let Some(ready_at) = seen.ready_at else {
        return Finding::not_proven(ID, "readiness never said yes");
    };
    let lost: Vec<_> = seen.after_ready.iter().filter(|exchange| exchange.outcome.is_loss()).collect();
    let (count, ready_at) = (seen.after_ready.len(), ready_at.as_secs_f64());
    if lost.is_empty() {
        return Finding::pass(
            ID,
            format!("ready {ready_at:.2} s after the start; {count} requests after that were served"),
        );
    }
    let zero = seen.after_ready.first().map_or_else(Instant::now, |first| first.begun);
    Finding::fail(
        ID,
        format!("ready {ready_at:.2} s after the start, yet {} of {count} requests after that failed", lost.len()),
    )
    .with(lost.iter().map(|exchange| exchange.evidence(zero)))
}

fn two_questions(context: &Context, seen: &Seen) -> Finding {
    const ID: &str = "probes.ready-is-not-live";
    let (Some(live), Some(ready)) = (context.survey.certain_live(), context.survey.ready_path()) else {
        return Finding::not_proven(
            ID,
            "no pair of paths that surely are liveness and readiness: declare them with --live and --ready",
        );
    };
    if live == ready {
        return Finding::fail(ID, format!("{live} is both"));
    }
    let good = |status: u16| (200..300).contains(&status);
    let answered: Vec<_> = seen.pairs.iter().filter_map(|(live, ready)| Some(((*live)?, (*ready)?))).collect();
    if let Some((live_said, ready_said)) = answered.iter().find(|(live, ready)| good(*live) && !good(*ready)) {
        return Finding::pass(ID, format!("once {live} answered {live_said} and {ready} {ready_said}"));
    }
    if answered.len() < ENOUGH {
        let seen = format!("the two paths were both answered only {} times in start and drain", answered.len());
        return Finding::not_proven(ID, seen);
    }
    Finding::fail(ID, format!("{live} and {ready} said the same {} times of {0} in start and drain", answered.len()))
}

fn in_time(context: &Context, seen: &Seen, tail: &[String]) -> Finding {
    const ID: &str = "probes.startup-in-time";
    let limit = context.plan.start_timeout;
    match (seen.served_at, seen.ready_at) {
        (Some(served), Some(ready)) => Finding::pass(
            ID,
            format!(
                "the first answer came after {:.2} s, ready after {:.2} s, of {limit:.0?}",
                served.as_secs_f64(),
                ready.as_secs_f64()
            ),
        ),
        (served, _) => {
            let served = served
                .map_or("it served nothing".to_owned(), |at| format!("it served after {:.2} s", at.as_secs_f64()));
            let lines = tail.iter().map(|line| format!("log: {line}"));
            Finding::fail(ID, format!("{served}, and was not ready within {limit:.0?}")).with(lines)
        }
    }
}
