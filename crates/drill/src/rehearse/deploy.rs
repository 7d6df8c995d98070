//! Deploys and crashes: a rolling restart under load, a kill, and PID 1.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::drain::NEGLIGIBLE;
use super::{Findings, Rehearsal, Touch};
use crate::client::{Exchange, Request, Target, exchange, fetch};
use crate::context::{Context, Stage, Trouble};
use crate::finding::Finding;
use crate::program::proc;

pub(crate) const ROLLING: Rehearsal = Rehearsal {
    name: "rolling restart",
    covers: &["drain.rolling-restart-loses-nothing"],
    touch: Touch::Control,
    run: |context| Box::pin(rolling(context)),
};

pub(crate) const KILL: Rehearsal = Rehearsal {
    name: "kill and restart",
    covers: &["drain.kill-then-restart"],
    touch: Touch::Control,
    run: |context| Box::pin(kill(context)),
};

pub(crate) const PID_1: Rehearsal = Rehearsal {
    name: "stop as PID 1",
    covers: &["drain.pid1-gets-signal"],
    touch: Touch::Control,
    run: |context| Box::pin(pid_1(context)),
};

const EVERY: Duration = Duration::from_millis(30);
const LIMIT: Duration = Duration::from_secs(10);

/// Which instances the balancer sends to. Clones share it.
#[derive(Debug, Clone, Default)]
struct Rotation(Arc<Mutex<Vec<Target>>>);

impl Rotation {
    fn change(&self, change: impl FnOnce(&mut Vec<Target>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn pick(&self, turn: usize) -> Option<Target> {
        let targets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        targets.get(turn.checked_rem(targets.len())?).cloned()
    }
}

async fn rolling(context: &Context) -> Findings {
    const ID: &str = "drain.rolling-restart-loses-nothing";
    if context.plan.port.is_some() {
        return Ok(vec![Finding::not_applicable(ID, "the port is fixed: two instances cannot run side by side")]);
    }
    let mut stages = vec![context.fresh().await?, context.fresh().await?];
    let rotation = Rotation::default();
    rotation.change(|targets| targets.extend(stages.iter().map(|stage| stage.target.clone())));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let balancer =
        tokio::spawn(balance(rotation.clone(), Request::get(&context.survey.safe), context.plan.grace, stopped));
    let begun = Instant::now();
    sleep(Duration::from_millis(500)).await;
    let mut retired = Vec::new();
    for stage in &mut stages {
        retired.push(retire(context, stage, &rotation).await);
        *stage = context.fresh().await?;
        rotation.change(|targets| targets.push(stage.target.clone()));
        sleep(Duration::from_millis(300)).await;
    }
    let _ = stop.send(true);
    let sent = balancer.await.map_err(|error| Trouble::Other(format!("the balancer broke off: {error}")))?;
    let killed = retired.iter().filter(|retired| !retired.went).count();
    let killed = if killed > 0 { format!(" ({killed} instances had to be killed)") } else { String::new() };
    let took = begun.elapsed().as_secs_f64();
    if sent.is_empty() {
        return Ok(vec![Finding::error(ID, "no request was sent")]);
    }
    let lost: Vec<&(SocketAddr, Exchange)> = sent.iter().filter(|(_, exchange)| exchange.outcome.is_loss()).collect();
    if lost.is_empty() {
        let seen = format!("{} requests over two restarts in {took:.1} s, none lost{killed}", sent.len());
        return Ok(vec![Finding::pass(ID, seen)]);
    }
    let seen = format!("{} of {} requests over two restarts in {took:.1} s were lost{killed}", lost.len(), sent.len());
    let evidence: Vec<String> = lost.iter().map(|(_, exchange)| exchange.evidence(begun)).collect();
    let late = retired.iter().map(|retired| retired.late).max().unwrap_or_default();
    let certain = |(address, exchange): &&(SocketAddr, Exchange)| {
        let by = retired.iter().find(|retired| retired.address == *address && retired.signal <= exchange.ended);
        by.is_none_or(|retired| exchange.ended < retired.signal + retired.lag || retired.late < NEGLIGIBLE)
    };
    if lost.iter().any(certain) {
        return Ok(vec![Finding::fail(ID, seen).with(evidence)]);
    }
    let late = late.as_secs_f64();
    let seen = format!(
        "{seen}, but only after an instance and the drill had been kept from the processors for {late:.1} s: try it on a machine with less to do, or with --parallel 1"
    );
    Ok(vec![Finding::not_proven(ID, seen).with(evidence)])
}

/// Sends one request every so often, in turn, whatever the answers do.
async fn balance(
    rotation: Rotation,
    request: Request,
    limit: Duration,
    stop: tokio::sync::watch::Receiver<bool>,
) -> Vec<(SocketAddr, Exchange)> {
    let mut sent = JoinSet::new();
    let mut due = tokio::time::interval(EVERY);
    let mut turn = 0;
    while !*stop.borrow() {
        due.tick().await;
        turn += 1;
        if let Some(target) = rotation.pick(turn) {
            let request = request.clone();
            sent.spawn(async move { (target.address, exchange(&target, &request, limit).await) });
        }
    }
    let mut sent = sent.join_all().await;
    sent.sort_by_key(|(_, exchange)| exchange.begun);
    sent
}

/// An instance that was stopped.
#[derive(Debug)]
struct Retired {
    address: SocketAddr,
    signal: Instant,
    /// How long it was still sent requests, at least.
    lag: Duration,
    /// How long it and the drill were kept from the processors meanwhile.
    late: Duration,
    /// By itself.
    went: bool,
}

/// Stops one instance as an orchestrator does.
async fn retire(context: &Context, stage: &Stage, rotation: &Rotation) -> Retired {
    let signal = stage.instance.signal(context.plan.stop_signal);
    let lag = context.plan.lag_after_signal();
    let mut out_at = signal + lag;
    if let Some(path) = context.survey.ready_path() {
        while Instant::now() < signal + lag {
            let asked = exchange(&stage.target, &Request::get(path), LIMIT).await;
            if !asked.status.is_some_and(|status| (200..300).contains(&status)) {
                out_at = asked.ended + lag;
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    sleep(out_at.saturating_duration_since(Instant::now())).await;
    rotation.change(|targets| targets.retain(|target| *target != stage.target));
    let late = context.late(stage, signal);
    let went = context.exit_in_grace(stage, signal).await.is_some();
    stage.instance.kill().await;
    Retired { address: stage.target.address, signal, lag, late, went }
}

async fn kill(context: &Context) -> Findings {
    const ID: &str = "drain.kill-then-restart";
    let stage = context.fresh().await?;
    let port = stage.instance.port;
    // Some connections are open at the moment of the kill, so that the port has a past.
    let request = Request::get(&context.survey.safe);
    let mut open = Vec::new();
    for _ in 0..4 {
        if let Ok(mut connection) = crate::client::Connection::open(&stage.target, LIMIT).await {
            let _ = connection.send(&request.bytes(&stage.target), LIMIT).await;
            let _ = connection.answer(&request, Instant::now() + LIMIT).await;
            open.push(connection);
        }
    }
    stage.instance.kill().await;
    drop(open);
    let begun = Instant::now();
    let again = match context.fresh_on(Some(port), &[]).await {
        Ok(again) => again,
        Err(trouble) => {
            let seen = format!("after a kill it did not start again on port {port}");
            return Ok(vec![Finding::fail(ID, seen).with(trouble.to_string().lines().map(str::to_owned))]);
        }
    };
    let took = begun.elapsed().as_secs_f64();
    Ok(vec![match fetch(&again.target, &request, LIMIT).await {
        Ok(answer) if answer.status < 500 => {
            Finding::pass(ID, format!("it served again {took:.2} s after the kill, on the same port"))
        }
        Ok(answer) => Finding::fail(ID, format!("after a kill and a restart it answers {}", answer.status)),
        Err(failure) => Finding::fail(ID, format!("after a kill and a restart: {failure}")),
    }])
}

async fn pid_1(context: &Context) -> Findings {
    const ID: &str = "drain.pid1-gets-signal";
    let signal = context.plan.stop_signal;
    let Some(prefix) = namespace().await else {
        return by_handler(context).await.map(|finding| vec![finding]);
    };
    let stage = match context.fresh_behind(&prefix).await {
        Ok(stage) => stage,
        Err(trouble) => {
            let seen = format!("it does not start in a PID namespace of its own: {trouble}");
            return Ok(vec![Finding::not_proven(ID, seen.lines().next().unwrap_or_default())]);
        }
    };
    let Some(first) = proc::children(stage.instance.pid).first().and_then(|pid| crate::program::pid(*pid)) else {
        return Ok(vec![Finding::error(ID, "the first process of the namespace was not found")]);
    };
    let sent = Instant::now();
    if let Err(error) = rustix::process::kill_process(first, signal) {
        return Ok(vec![Finding::error(ID, format!("PID 1 could not be signalled: {error}"))]);
    }
    let exit = context.exit_in_grace(&stage, sent).await;
    let finding = if let Some(exit) = exit {
        let took = (exit.at - sent).as_secs_f64();
        Finding::pass(ID, format!("as PID 1 it ended ({exit}) {took:.1} s after the signal"))
    } else {
        let seen = format!("as PID 1 it still ran {:.0?} after the signal", context.plan.grace);
        Finding::fail(ID, seen).with(stage.instance.log.tail(5).iter().map(|line| format!("log: {line}")))
    };
    stage.instance.kill().await;
    Ok(vec![finding])
}

/// Where no namespace can be had: a process without a handler for the signal would not get it as PID 1.
async fn by_handler(context: &Context) -> Result<Finding, Trouble> {
    const ID: &str = "drain.pid1-gets-signal";
    let stage = context.fresh().await?;
    let caught = proc::status(stage.instance.pid, "SigCgt").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    let bit = 1_u64 << (context.plan.stop_signal.as_raw() - 1);
    Ok(match caught {
        Some(caught) if caught & bit == 0 => {
            Finding::fail(ID, "it has no handler for the stop signal: as PID 1 the kernel would drop it")
                .with([format!("SigCgt of pid {}: {caught:016x}", stage.instance.pid)])
        }
        Some(_) => Finding::not_proven(
            ID,
            "it has a handler for the stop signal; no PID namespace can be made here to see it act",
        ),
        None => Finding::not_proven(ID, "no PID namespace can be made here, and its signals cannot be read"),
    })
}

/// The command that gives a PID namespace, where the machine allows one.
async fn namespace() -> Option<Vec<String>> {
    let ways: [&[&str]; 2] = [
        &["unshare", "--pid", "--fork", "--kill-child"],
        &["unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child"],
    ];
    for way in ways {
        let mut command = std::process::Command::new(way[0]);
        command.args(&way[1..]).arg("true").stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let works = tokio::task::spawn_blocking(move || command.status().is_ok_and(|status| status.success())).await;
        if works.unwrap_or(false) {
            return Some(way.iter().map(|&word| word.to_owned()).collect());
        }
    }
    None
}
