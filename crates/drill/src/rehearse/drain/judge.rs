//! From what was seen in a drain to verdicts.

use std::time::Duration;

use super::{Facts, NEGLIGIBLE, UPLOAD_TAKES};
use crate::catalogue::Level;
use crate::client::{Exchange, Outcome};
use crate::finding::Finding;
use crate::program::Exit;
use crate::program::proc::Process;
use crate::traffic::Parting;

/// A request that ran for less after the signal may have been done already.
const SPANNED: Duration = Duration::from_millis(100);

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    vec![
        inflight(facts),
        new_connections(facts),
        ready_first(facts),
        live_holds(facts),
        exit_code(facts),
        in_grace(facts),
        keepalive(facts),
        uploads(facts),
        orphans(facts),
    ]
}

/// Quick requests that failed although nobody had sent a signal.
fn broken_before(facts: &Facts) -> Vec<String> {
    let quick = facts.new.iter().chain(&facts.kept);
    let before = quick.filter(|exchange| exchange.ended < facts.signal && exchange.outcome.is_loss());
    before.map(|exchange| exchange.evidence(facts.signal)).collect()
}

fn inflight(facts: &Facts) -> Finding {
    const ID: &str = "drain.inflight-completes";
    let early: Vec<_> = facts.slow.iter().filter(|slow| slow.ended < facts.signal && slow.outcome.is_loss()).collect();
    if !early.is_empty() {
        let evidence = early.iter().map(|slow| slow.evidence(facts.signal));
        return Finding::not_proven(ID, "slow requests failed before the signal came").with(evidence);
    }
    let quick = facts.new.iter().filter(|exchange| spans(facts, exchange));
    let spanning: Vec<&Exchange> = facts.slow.iter().filter(|slow| slow.ended >= facts.signal).chain(quick).collect();
    let lost: Vec<&&Exchange> = spanning.iter().filter(|exchange| exchange.outcome.is_loss()).collect();
    if !lost.is_empty() {
        let seen = format!("{} of {} requests in flight at the signal were lost", lost.len(), spanning.len());
        let in_time = |lost: &&&Exchange| facts.is_certain(lost, lost.begun + facts.slow_takes.max(facts.lag));
        if !lost.iter().any(in_time) {
            return doubtful(facts, ID, &seen).with(lost.iter().map(|exchange| exchange.evidence(facts.signal)));
        }
        return Finding::fail(ID, seen).with(lost.iter().map(|exchange| exchange.evidence(facts.signal)));
    }
    let long = facts.slow.iter().filter(|slow| slow.ended >= facts.signal + SPANNED).count();
    if long == 0 {
        let seen = "nothing long was in flight: name a GET that takes 1 to 5 s with --slow-path";
        return Finding::not_proven(ID, seen);
    }
    let latest = facts.slow.iter().map(|slow| slow.ended).max().unwrap_or(facts.signal);
    let seen = format!("{long} slow requests were in flight; all were answered, the last {}", facts.after(latest));
    Finding::pass(ID, seen)
}

/// Losses that a machine with time for everybody might not have seen.
fn doubtful(facts: &Facts, id: &str, seen: &str) -> Finding {
    let late = facts.late.as_secs_f64();
    Finding::not_proven(
        id,
        format!(
            "{seen}, but only after the service and the drill had been kept from the processors for {late:.1} s: try it on a machine with less to do, or with --parallel 1"
        ),
    )
}

fn spans(facts: &Facts, exchange: &Exchange) -> bool {
    exchange.begun < facts.signal && exchange.ended >= facts.signal
}

fn new_connections(facts: &Facts) -> Finding {
    const ID: &str = "drain.new-connections-served-during-lag";
    let broken = broken_before(facts);
    if !broken.is_empty() {
        return Finding::not_proven(ID, "requests failed before the signal came").with(broken);
    }
    if facts.lag.is_zero() {
        return Finding::not_applicable(ID, "the preStop sleep is at least as long as the lag of the balancers");
    }
    let kept_anew = facts.kept.iter().filter(|exchange| !exchange.kept);
    let opened: Vec<&Exchange> =
        facts.new.iter().chain(kept_anew).filter(|exchange| exchange.begun >= facts.signal).collect();
    let mut lost: Vec<&&Exchange> = opened.iter().filter(|exchange| exchange.outcome.is_loss()).collect();
    lost.sort_by_key(|exchange| exchange.begun);
    let Some(first) = lost.first() else {
        if opened.is_empty() {
            return Finding::error(ID, "no connection was opened after the signal");
        }
        let until = facts.after(facts.stopped);
        return Finding::pass(ID, format!("{} connections opened until {until}; all were served", opened.len()));
    };
    let seen = format!(
        "{} of {} connections that a balancer still opened were lost, the first {} after the signal ({})",
        lost.len(),
        opened.len(),
        facts.after(first.begun),
        summary(lost.iter().map(|exchange| exchange.outcome)),
    );
    let evidence = lost.iter().take(4).map(|exchange| exchange.evidence(facts.signal));
    let certain = |lost: &&&Exchange| facts.is_certain(lost, facts.signal + facts.lag) || facts.had_time(lost);
    if !lost.iter().any(certain) {
        return doubtful(facts, ID, &seen).with(evidence);
    }
    Finding::fail(ID, seen).with(evidence)
}

/// `12 refused, 3 timed out`
fn summary(outcomes: impl Iterator<Item = Outcome>) -> String {
    let mut counts = std::collections::BTreeMap::<Outcome, usize>::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
    }
    let parts: Vec<String> = counts.into_iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    parts.join(", ")
}

fn ready_first(facts: &Facts) -> Finding {
    const ID: &str = "drain.ready-fails-first";
    let Some(ready) = &facts.ready else {
        return Finding::not_applicable(ID, "no readiness path among the known names: declare it with --ready");
    };
    let before = ready.iter().filter(|exchange| exchange.ended < facts.signal);
    if !before.clone().any(|exchange| exchange.status.is_some_and(|status| (200..300).contains(&status))) {
        return Finding::not_proven(ID, "readiness did not say yes before the signal");
    }
    let refused = facts.first_refused();
    let Some(no) = facts.ready_said_no() else {
        let yes = ready.iter().filter(|e| e.begun >= facts.signal && e.status.is_some()).count();
        let seen = match refused {
            Some(at) => {
                format!("readiness never said no ({yes} times yes); connections were refused {}", facts.after(at))
            }
            None => format!("readiness never said no: it answered yes {yes} times after the signal"),
        };
        // Nobody asked in time: that is no answer of the service.
        let early = ready.iter().any(|asked| asked.begun >= facts.signal && facts.had_time(asked));
        let unasked = yes == 0 && !early && refused.is_none_or(|at| at >= facts.signal + facts.lag);
        if unasked && facts.late >= NEGLIGIBLE {
            return doubtful(facts, ID, &seen);
        }
        return Finding::fail(ID, seen);
    };
    let said = format!("readiness answered {} {}", no.status.unwrap_or_default(), facts.after(no.ended));
    match refused {
        Some(at) if at < no.begun => {
            Finding::fail(ID, format!("{said}, but connections had been refused {}", facts.after(at)))
        }
        // A preStop sleep does not make a slow flip right, so the whole lag is allowed, not what is left of it.
        _ if no.begun > facts.signal + facts.lag.max(Duration::from_secs(2)) + facts.late => {
            Finding::fail(ID, format!("{said}: balancers had stopped waiting for it"))
        }
        _ => Finding::pass(ID, said),
    }
}

fn live_holds(facts: &Facts) -> Finding {
    const ID: &str = "drain.live-holds";
    let Some(live) = &facts.live else {
        return Finding::not_applicable(ID, "no path surely means liveness: declare it with --live");
    };
    let (before, after): (Vec<_>, Vec<_>) = live.iter().partition(|exchange| exchange.ended < facts.signal);
    let good = |exchange: &&Exchange| exchange.status.is_some_and(|status| (200..300).contains(&status));
    if !before.iter().any(good) {
        return Finding::not_proven(ID, "liveness did not answer 2xx before the signal");
    }
    let answers: Vec<_> = after.iter().filter(|exchange| exchange.status.is_some()).collect();
    let bad: Vec<_> = answers.iter().filter(|exchange| !good(exchange)).collect();
    if !bad.is_empty() {
        let seen = format!("{} of {} liveness answers in the drain were not 2xx", bad.len(), answers.len());
        return Finding::fail(ID, seen).with(bad.iter().map(|exchange| exchange.evidence(facts.signal)));
    }
    if answers.is_empty() {
        return Finding::not_proven(ID, "no probe was answered after the signal: the listener closed at once");
    }
    Finding::pass(ID, format!("all {} answers after the signal were 2xx", answers.len()))
}

fn exit_code(facts: &Facts) -> Finding {
    const ID: &str = "drain.exit-code-zero";
    match facts.exit {
        None => Finding::not_proven(ID, "it did not exit by itself"),
        Some(exit) if exit.code == Some(0) => Finding::pass(ID, "exit code 0"),
        Some(Exit { code: None, signal: None, .. }) => {
            Finding::not_proven(ID, "it ended; only whoever started a process sees how")
        }
        Some(exit) if exit.code == Some(143) => {
            Finding::fail(ID, "exit code 143, as a JVM's clean stop is; tell the platform to count it as success")
                .at(Level::May)
        }
        Some(exit) => Finding::fail(ID, exit.to_string()).with(facts.tail.iter().map(|line| format!("log: {line}"))),
    }
}

fn in_grace(facts: &Facts) -> Finding {
    const ID: &str = "drain.exits-in-grace";
    match facts.exit {
        Some(exit) => {
            let took = exit.at.saturating_duration_since(facts.signal);
            Finding::pass(ID, format!("{exit} after {:.1} s of {:.0?}", took.as_secs_f64(), facts.grace))
        }
        None => Finding::fail(ID, format!("it still ran {:.0?} after the signal, with no client left", facts.grace))
            .with(facts.tail.iter().map(|line| format!("log: {line}"))),
    }
}

fn keepalive(facts: &Facts) -> Finding {
    const ID: &str = "drain.keepalive-told-to-close";
    if !facts.kept.iter().any(|exchange| exchange.kept && exchange.ended < facts.signal) {
        return Finding::not_applicable(ID, "no connection was kept: each answer ended its own");
    }
    let count = |parting| facts.partings.iter().filter(|own| **own == parting).count();
    let (told, closed, untold) = (count(Parting::Told), count(Parting::ClosedIdle), count(Parting::Untold));
    if untold > 0 {
        let asked = facts.kept.iter().filter(|exchange| exchange.kept && exchange.begun >= facts.signal).count();
        let seen = format!(
            "{untold} connections were still kept {}: {asked} answers after the signal, none with `Connection: close` on them",
            facts.after(facts.stopped)
        );
        return Finding::fail(ID, seen);
    }
    if told + closed == 0 {
        return Finding::not_proven(ID, "kept connections were cut before they could be told");
    }
    Finding::pass(ID, format!("{told} connections were told by `Connection: close`, {closed} were closed while idle"))
}

fn uploads(facts: &Facts) -> Finding {
    const ID: &str = "drain.upload-completes";
    if facts.uploads.is_empty() {
        let seen = "no path takes an upload: name a POST that reads its body with --upload-path";
        return Finding::not_proven(ID, seen);
    }
    let early: Vec<_> = facts.uploads.iter().filter(|upload| upload.ended < facts.signal).collect();
    if !early.is_empty() {
        let evidence = early.iter().map(|upload| upload.evidence(facts.signal));
        return Finding::not_proven(ID, "uploads ended before the signal came").with(evidence);
    }
    let lost: Vec<_> = facts.uploads.iter().filter(|upload| upload.outcome.is_loss()).collect();
    if lost.is_empty() {
        return Finding::pass(ID, format!("{} uploads were completed and answered", facts.uploads.len()));
    }
    let seen = format!("{} of {} uploads were lost", lost.len(), facts.uploads.len());
    let evidence = lost.iter().map(|upload| upload.evidence(facts.signal));
    if !lost.iter().any(|lost| facts.is_certain(lost, lost.begun + UPLOAD_TAKES)) {
        return doubtful(facts, ID, &seen).with(evidence);
    }
    Finding::fail(ID, seen).with(evidence)
}

fn orphans(facts: &Facts) -> Finding {
    const ID: &str = "drain.no-orphans";
    if facts.exit.is_none() {
        return Finding::not_proven(ID, "it did not exit by itself");
    }
    let named = |processes: &[Process]| {
        processes.iter().map(|process| format!("{} (pid {})", process.name, process.pid)).collect::<Vec<_>>()
    };
    if facts.orphans.is_empty() && !facts.unclear.is_empty() {
        let seen = "some processes left group, environment and parent of their instance, and several instances ran: say --only drain.no-orphans";
        return Finding::not_proven(ID, seen).with(named(&facts.unclear));
    }
    if facts.orphans.is_empty() {
        return Finding::pass(ID, "nothing of it ran two seconds after its exit");
    }
    let seen = format!("{} processes outlived it by two seconds", facts.orphans.len());
    Finding::fail(ID, seen).with(named(&facts.orphans))
}

#[cfg(test)]
mod tests;
