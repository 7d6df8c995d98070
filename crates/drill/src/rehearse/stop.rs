//! What may hold a stop up: idle connections, half-sent requests, other signals, a start that is under way.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Connection, Ending, Exchange, Request, exchange};
use crate::context::{Context, Stage};
use crate::finding::Finding;
use crate::program::Exit;

pub(crate) const IDLE: Rehearsal = Rehearsal {
    name: "stop with idle connections",
    covers: &["drain.idle-connection-does-not-block"],
    touch: Touch::Control,
    run: |context| Box::pin(idle(context)),
};

pub(crate) const HALF_SENT: Rehearsal = Rehearsal {
    name: "stop with a half-sent request",
    covers: &["drain.half-sent-request-does-not-block"],
    touch: Touch::Control,
    run: |context| Box::pin(half_sent(context)),
};

pub(crate) const SIGINT: Rehearsal = Rehearsal {
    name: "stop by SIGINT",
    covers: &["drain.sigint-like-sigterm"],
    touch: Touch::Control,
    run: |context| Box::pin(sigint(context)),
};

pub(crate) const SECOND: Rehearsal = Rehearsal {
    name: "a second signal",
    covers: &["drain.second-signal-forces"],
    touch: Touch::Control,
    run: |context| Box::pin(second(context)),
};

pub(crate) const EARLY: Rehearsal = Rehearsal {
    name: "stop during the start",
    covers: &["drain.sigterm-during-start"],
    touch: Touch::Control,
    run: |context| Box::pin(early(context)),
};

/// Who is forced is gone by then; who goes on as if nothing had been said takes longer.
const FORCED: Duration = Duration::from_secs(2);

const LIMIT: Duration = Duration::from_secs(10);

/// A stop and how long it took.
async fn stop(context: &Context, stage: &Stage) -> (Instant, Option<Exit>) {
    let signal = stage.instance.signal(context.plan.stop_signal);
    let exit = context.exit_in_grace(stage, signal).await;
    if exit.is_none() {
        stage.instance.kill().await;
    }
    (signal, exit)
}

async fn idle(context: &Context) -> Findings {
    const ID: &str = "drain.idle-connection-does-not-block";
    let stage = context.fresh().await?;
    let mut used = Connection::open(&stage.target, LIMIT).await.map_err(|failure| other(&failure))?;
    let request = Request::get(&context.survey.safe);
    used.send(&request.bytes(&stage.target), LIMIT).await.map_err(|failure| other(&failure))?;
    let answer = used.answer(&request, Instant::now() + LIMIT).await.map_err(|failure| other(&failure))?;
    let mut unused = Connection::open(&stage.target, LIMIT).await.map_err(|failure| other(&failure))?;
    let mut unused_too = Connection::open(&stage.target, LIMIT).await.map_err(|failure| other(&failure))?;
    // Accepted by the program, and not only by the kernel.
    sleep(Duration::from_millis(300)).await;
    let kept = !answer.close && used.ending(Duration::from_millis(1)).await == Ending::Open;

    let (signal, exit) = stop(context, &stage).await;
    let name = if kept {
        "a kept connection and two that never sent a byte"
    } else {
        "two connections that never sent a byte"
    };
    let Some(exit) = exit else {
        let seen = format!("with {name} open it still ran {:.0?} after the signal", context.plan.grace);
        return Ok(vec![Finding::fail(ID, seen).with(log(&stage))]);
    };
    // Held until here: a client that goes away by itself blocks nobody.
    let ended = [unused.ending(LIMIT).await, unused_too.ending(LIMIT).await];
    let seen = format!("with {name} open it ended ({exit}) {:.1} s after the signal", (exit.at - signal).as_secs_f64());
    Ok(vec![Finding::pass(ID, seen).with([format!("the connections ended so: {ended:?}")])])
}

async fn half_sent(context: &Context) -> Findings {
    const ID: &str = "drain.half-sent-request-does-not-block";
    let stage = context.fresh().await?;
    let mut half = Connection::open(&stage.target, LIMIT).await.map_err(|failure| other(&failure))?;
    let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\nX-Half: ", context.survey.safe, stage.target.host);
    half.send(head.as_bytes(), LIMIT).await.map_err(|failure| other(&failure))?;
    sleep(Duration::from_millis(300)).await;
    if half.ending(Duration::from_millis(1)).await != Ending::Open {
        return Ok(vec![Finding::pass(ID, "the server ended the half-sent request before the signal")]);
    }

    let (signal, exit) = stop(context, &stage).await;
    let finding = if let Some(exit) = exit {
        let took = (exit.at - signal).as_secs_f64();
        Finding::pass(ID, format!("with half a head sent it ended ({exit}) {took:.1} s after the signal"))
    } else {
        let seen = format!("with half a head sent it still ran {:.0?} after the signal", context.plan.grace);
        Finding::fail(ID, seen).with(log(&stage))
    };
    drop(half);
    Ok(vec![finding])
}

async fn sigint(context: &Context) -> Findings {
    const ID: &str = "drain.sigint-like-sigterm";
    if context.plan.stop_signal != Signal::TERM {
        return Ok(vec![Finding::not_applicable(ID, "another stop signal than SIGTERM was declared")]);
    }
    let stage = context.fresh().await?;
    let (slow, under_way) = slow_requests(context, &stage, 2).await;
    let signal = stage.instance.signal(Signal::INT);
    let exit = context.exit_in_grace(&stage, signal).await;
    if exit.is_none() {
        stage.instance.kill().await;
    }
    let requests = under_way.join_all().await;
    let lost: Vec<_> = requests.iter().filter(|request| request.outcome.is_loss()).collect();
    let finding = match exit {
        None => Finding::fail(ID, format!("it still ran {:.0?} after SIGINT", context.plan.grace)).with(log(&stage)),
        Some(_) if !lost.is_empty() => {
            let seen = format!("{} of {} requests in flight at SIGINT were lost", lost.len(), requests.len());
            Finding::fail(ID, seen).with(lost.iter().map(|request| request.evidence(signal)))
        }
        Some(exit) => {
            let requests =
                if slow { format!("{} slow requests were answered, and ", requests.len()) } else { String::new() };
            Finding::pass(
                ID,
                format!("{requests}it ended ({exit}) {:.1} s after SIGINT", (exit.at - signal).as_secs_f64()),
            )
        }
    };
    Ok(vec![finding])
}

async fn second(context: &Context) -> Findings {
    const ID: &str = "drain.second-signal-forces";
    let stage = context.fresh().await?;
    let (slow, under_way) = slow_requests(context, &stage, 1).await;
    // It holds up what nothing else does: without a slow path most drains end before the second signal.
    let held = Connection::open(&stage.target, LIMIT).await;
    let first = stage.instance.signal(context.plan.stop_signal);
    if let Some(exit) = stage.instance.exited(first + Duration::from_millis(1500)).await {
        drop(under_way);
        let seen = format!("it had ended ({exit}) before a second signal could be sent");
        let slow_hint = if slow { "" } else { "; a --slow-path of 5 s would hold it" };
        return Ok(vec![Finding::not_proven(ID, format!("{seen}{slow_hint}"))]);
    }
    let again = stage.instance.signal(context.plan.stop_signal);
    let exit = stage.instance.exited(again + FORCED).await;
    // A machine that has no time for it makes no patient program of one that was forced.
    let exit = match exit {
        None => stage.instance.exited(again + FORCED + context.late(&stage, again).min(FORCED / 4)).await,
        exit => exit,
    };
    stage.instance.kill().await;
    drop((under_way, held));
    Ok(vec![match exit {
        Some(exit) => Finding::pass(
            ID,
            format!("it ended ({exit}) {:.1} s after the second signal", (exit.at - again).as_secs_f64()),
        ),
        None => Finding::fail(ID, format!("it still ran {FORCED:.0?} after the second signal")),
    }])
}

async fn early(context: &Context) -> Findings {
    const ID: &str = "drain.sigterm-during-start";
    let instance = context.spawn(None, &[])?;
    let target = context.target(&instance);
    let stage = Stage::new(instance, target);
    // Past the exec, before most runtimes listen.
    sleep(Duration::from_millis(30)).await;
    let signal = stage.instance.signal(context.plan.stop_signal);
    let exit = context.exit_in_grace(&stage, signal).await;
    let finding = if let Some(exit) = exit {
        let took = exit.at.saturating_duration_since(signal).as_secs_f64();
        Finding::pass(ID, format!("it ended ({exit}) {took:.1} s after a signal 30 ms into its start"))
    } else {
        let seen = format!("it still ran {:.0?} after a signal 30 ms into its start", context.plan.grace);
        Finding::fail(ID, seen).with(log(&stage))
    };
    stage.instance.kill().await;
    Ok(vec![finding])
}

/// Starts slow requests, where there is a slow path, and lets them arrive.
async fn slow_requests(context: &Context, stage: &Stage, count: usize) -> (bool, tokio::task::JoinSet<Exchange>) {
    let mut under_way = tokio::task::JoinSet::new();
    let Some(slow) = &context.survey.slow else { return (false, under_way) };
    let limit = context.plan.grace + Duration::from_secs(5);
    for _ in 0..count {
        let (target, request) = (stage.target.clone(), Request::get(&slow.path));
        under_way.spawn(async move { exchange(&target, &request, limit).await });
    }
    sleep((slow.takes / 4).min(Duration::from_millis(250))).await;
    (true, under_way)
}

fn log(stage: &Stage) -> impl Iterator<Item = String> {
    stage.instance.log.tail(5).into_iter().map(|line| format!("log: {line}"))
}

fn other(failure: &crate::client::Failure) -> crate::context::Trouble {
    crate::context::Trouble::Other(format!("a fresh instance did not serve: {failure}"))
}
