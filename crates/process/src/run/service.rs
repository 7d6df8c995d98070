//! The loop that owns the state of the service.

use std::time::{Duration, Instant};

use seaworthy::core::event::Event;
use seaworthy::core::lifecycle::{Cause, Change, Repeats, Urgency};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::answer::{self, Asked};
use super::parts::{Parts, Program};
use super::signals::{Received, Signals};
use super::start::{self, Started};
use super::stop::{self, Ended, Order};
use super::upstream::{Absent, Following};
use super::{built, reload};
use crate::commands::Output;
use crate::control::ControlRequest;
use crate::exit_code::ExitCode;
use crate::gateway::{Address, Upstream};
use crate::supervise::{Failure, FailureKind, Report};

/// How much time a service manager is asked for at once while the start goes on. The supervisor ends one that takes too long;
/// a manager that gives up earlier would kill a migration half way.
const START: Duration = Duration::from_secs(30);

/// Why the service stops.
struct Stop {
    cause: Cause,
    /// What to exit with when the stop is graceful.
    code: ExitCode,
}

impl Stop {
    fn asked(cause: Cause) -> Self {
        Self { cause, code: ExitCode::Clean }
    }
}

/// Runs what was started to its end.
pub(crate) async fn run(started: Started, mut signals: Signals) -> ExitCode {
    let Started { mut parts, reports, mut requests, following, output } = started;
    start::warn(&parts.loaded, &*parts.sink);
    let mut ready = Ready { program: reports.is_none(), upstream: following.is_none() };
    let mut inbox = Inbox { reports, upstream: Follower::of(following, &parts) };
    let mut repeats = Repeats::default();
    let mut watchdog = interval(parts.notifier.watchdog().unwrap_or(Duration::from_hours(1)));
    watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut patience = interval(START / 3);
    // A monitor waits for nothing.
    become_ready(&parts, ready);
    let stop = loop {
        let stop = tokio::select! {
            signal = signals.next() => match signal {
                Received::Terminate => Some(Stop::asked(Cause::Sigterm)),
                Received::Interrupt => Some(Stop::asked(Cause::Sigint)),
                Received::HangUp if terminal_went_away(output) => Some(Stop::asked(Cause::Sighup)),
                Received::HangUp => {
                    // What came of it is in the log.
                    let _ = reload::reload(&mut parts, "SIGHUP");
                    None
                }
            },
            report = next_report(&mut inbox.reports) => on_report(&mut parts, &mut ready, report, output),
            upstream = next_followed(&mut inbox.upstream) => on_upstream(&parts, &mut ready, upstream),
            Some(request) = requests.recv() => {
                match answer::answer(&mut parts, request) {
                    Asked::Nothing => None,
                    Asked::Drain => Some(Stop::asked(Cause::Command)),
                }
            }
            worker = lost(&mut parts) => {
                parts.emit(&Event::WorkerLost { worker: u32::try_from(worker).unwrap_or(u32::MAX) });
                Some(Stop { cause: Cause::WorkerLost, code: ExitCode::Failed })
            }
            _ = watchdog.tick() => {
                parts.notifier.alive();
                None
            }
            _ = patience.tick(), if parts.notifier.is_on() => {
                parts.notifier.starting(START);
                None
            }
        };
        if let Some(stop) = stop {
            break stop;
        }
    };
    if matches!(stop.cause, Cause::Sigterm | Cause::Sigint | Cause::Sighup) {
        let _ = repeats.signal(Instant::now());
    }
    let ended = ending(&parts, &stop, &mut inbox, &mut signals, &mut repeats, &mut requests).await;
    stop::close(parts, ended, requests).await;
    match ended {
        Ended { forced: true, .. } if stop.code == ExitCode::Clean => ExitCode::Failed,
        Ended { .. } => stop.code,
    }
}

/// Stops in order, and goes on to listen meanwhile.
async fn ending(
    parts: &Parts,
    stop: &Stop,
    inbox: &mut Inbox,
    signals: &mut Signals,
    repeats: &mut Repeats,
    requests: &mut mpsc::Receiver<ControlRequest>,
) -> Ended {
    let (force, forced) = watch::channel(false);
    let mut stopping = std::pin::pin!(stop::stop(parts, Order { cause: stop.cause, forced }));
    loop {
        tokio::select! {
            ended = &mut stopping => return ended,
            signal = signals.next() => {
                if signal != Received::HangUp && repeats.signal(Instant::now()) == Urgency::Force {
                    parts.emit(&Event::StopForced);
                    force.send_replace(true);
                    if let Some(supervisor) = &parts.supervisor {
                        supervisor.force();
                    }
                }
            }
            Some(request) = requests.recv() => answer::answer_leaving(parts, request),
            // The program may end before it is told to; the stop finds out.
            _ = next_report(&mut inbox.reports) => {}
        }
    }
}

/// What has to be there before the service is ready.
#[derive(Debug, Clone, Copy)]
struct Ready {
    program: bool,
    upstream: bool,
}

impl Ready {
    fn all(self) -> bool {
        self.program && self.upstream
    }
}

/// Where the loop hears of the program and of the upstream.
struct Inbox {
    reports: Option<mpsc::UnboundedReceiver<Report>>,
    upstream: Option<Follower>,
}

async fn next_report(reports: &mut Option<mpsc::UnboundedReceiver<Report>>) -> Report {
    if let Some(reports) = reports
        && let Some(report) = reports.recv().await
    {
        return report;
    }
    // There is no program, or its last report was given.
    std::future::pending().await
}

async fn next_followed(follower: &mut Option<Follower>) -> Followed {
    match follower {
        Some(follower) => follower.next().await,
        None => std::future::pending().await,
    }
}

/// Follows the upstream in a task of its own: a wait that the loop begins anew each time would never end.
struct Follower(mpsc::Receiver<Followed>);

enum Followed {
    There(Upstream),
    Moved(Upstream),
    Absent(Absent),
    /// It was not there within the time for the start.
    GivenUp,
}

impl Follower {
    fn of(following: Option<Following>, parts: &Parts) -> Option<Self> {
        let mut following = following?;
        let patience = parts.config().start.timeout;
        let (tell, followed) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut told = None;
            let absent = |absent: &Absent| {
                // The same reason ten times a second is one reason.
                let reason = absent.to_string();
                if told.as_ref() != Some(&reason) {
                    let _ = tell.try_send(Followed::Absent(absent.clone()));
                    told = Some(reason);
                }
            };
            let there = tokio::time::timeout(patience, following.there(absent)).await;
            let mut next = there.map_or(Followed::GivenUp, Followed::There);
            // Until nobody listens any more.
            while tell.send(next).await.is_ok() {
                next = Followed::Moved(following.moved().await);
            }
        });
        Some(Self(followed))
    }

    async fn next(&mut self) -> Followed {
        match self.0.recv().await {
            Some(followed) => followed,
            None => std::future::pending().await,
        }
    }
}

async fn lost(parts: &mut Parts) -> usize {
    match &mut parts.gateway {
        Some(gateway) => gateway.lost().await,
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP says that the terminal is gone, rather than "read your configuration again".
fn terminal_went_away(output: Output) -> bool {
    output.terminal && rustix::termios::tcgetpgrp(rustix::stdio::stdout()).is_err()
}

fn on_report(parts: &mut Parts, ready: &mut Ready, report: Report, output: Output) -> Option<Stop> {
    match report {
        Report::Started { pid, port } => {
            parts.program = Program { pid: Some(pid), port, started: Some(Instant::now()), ..parts.program };
        }
        Report::Ready { address, .. } => {
            ready.program = true;
            if let Some(address) = address.filter(|_| parts.config().upstream.is_none()) {
                let protocol = built::protocol(parts.config().app.protocol);
                parts.forward_to(Some(&Upstream::new(Address::Tcp(address), protocol)));
            }
            become_ready(parts, *ready);
        }
        Report::Died { restarting_in, .. } => {
            parts.program = Program { pid: None, started: None, ..parts.program };
            parts.program.restarts += u32::from(restarting_in.is_some());
            is_down(parts, ready);
        }
        Report::Failed(failure) => return Some(on_failure(parts, failure, output)),
    }
    None
}

fn is_down(parts: &Parts, ready: &mut Ready) {
    ready.program = false;
    parts.notifier.status("the program died and is started again");
    parts.lifecycle.apply(Change::ProgramDied);
    if parts.config().upstream.is_none() {
        parts.forward_to(None);
    }
}

fn become_ready(parts: &Parts, ready: Ready) {
    if ready.all() && parts.lifecycle.apply(Change::ProgramReady).is_some() {
        parts.notifier.ready("serving");
    }
}

/// The program will not come back: the reason goes to the log and, with its last words, to whoever looks.
fn on_failure(parts: &Parts, failure: Failure, output: Output) -> Stop {
    let Failure { kind, code, reason, last_lines } = failure;
    let mut message = reason;
    if !last_lines.is_empty() {
        message.push_str("\n  its last lines:");
        for line in &last_lines {
            message.push_str("\n    ");
            message.push_str(line);
        }
    }
    let cause = match kind {
        FailureKind::Ended => Cause::ProgramEnded,
        FailureKind::GaveUp => Cause::GaveUp,
        FailureKind::CannotStart | FailureKind::MigrationFailed | FailureKind::NotReady => Cause::StartFailed,
    };
    parts.emit(&Event::ProgramFailed { reason: message.clone() });
    // A log that goes elsewhere leaves whoever started us with an exit code and no word.
    if kind != FailureKind::Ended && !output.terminal {
        let _ = output.error(&message, code);
    }
    Stop { cause, code }
}

fn on_upstream(parts: &Parts, ready: &mut Ready, followed: Followed) -> Option<Stop> {
    let configured = parts.config().upstream.as_ref()?;
    let name = configured.target.to_string();
    match followed {
        Followed::There(upstream) => {
            parts.emit(&Event::UpstreamReady { upstream: name, took: parts.started.elapsed() });
            parts.forward_to(Some(&upstream));
            ready.upstream = true;
            become_ready(parts, *ready);
        }
        Followed::Moved(upstream) => {
            parts.emit(&Event::UpstreamMoved { upstream: name, address: upstream.address.to_string() });
            parts.forward_to(Some(&upstream));
        }
        Followed::Absent(absent) => parts.emit(&Event::UpstreamAbsent { upstream: name, reason: absent.to_string() }),
        Followed::GivenUp => {
            let reason = format!("it was not there within {:?} (`start.timeout`)", parts.config().start.timeout);
            parts.emit(&Event::UpstreamAbsent { upstream: name, reason });
            return Some(Stop { cause: Cause::StartFailed, code: ExitCode::DependencyMissing });
        }
    }
    None
}
