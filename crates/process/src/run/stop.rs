//! The stop, in order: readiness, delay, listeners, requests, program, hooks, log.
//!
//! Source: the Kubernetes page "Pod lifecycle: Termination of Pods". The removal of an endpoint and the signal to its
//! process run in parallel, so clients go on to come for a while after the signal.

use std::time::{Duration, Instant};

use seaworthy::core::event::{Event, Outcome};
use seaworthy::core::lifecycle::{Cause, Change, State};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::parts::Parts;
use super::{answer, hooks};
use crate::config::FLUSH;
use crate::control::ControlRequest;
use crate::gateway::Gateway;

/// What is asked of a stop.
pub(crate) struct Order {
    pub(crate) cause: Cause,
    /// Becomes true when somebody does not want to wait any more.
    pub(crate) forced: watch::Receiver<bool>,
}

/// How a stop ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// Requests were cut, the program was killed, or somebody insisted.
    pub(crate) forced: bool,
    began: Instant,
    requests_cut: u32,
}

/// Ends everything but what shows how we are: ops listener, control socket, log.
pub(crate) async fn stop(parts: &Parts, order: Order) -> Ended {
    let Order { cause, mut forced } = order;
    let began = Instant::now();
    let served = parts.lifecycle.state() == State::Ready;
    let drain = &parts.config().drain;
    parts.emit(&Event::StopBegan { cause });
    parts.lifecycle.apply(Change::StopAsked);
    // Beyond the grace there is nothing that a service manager should wait for.
    parts.notifier.stopping("draining", drain.grace);
    if let Some(supervisor) = &parts.supervisor {
        supervisor.wind_down();
    }

    // Beside the drain: the program's background work winds down while its requests still run.
    let left = drain.grace.saturating_sub(FLUSH);
    let beginning = async {
        if let (Some(supervisor), Some(signal)) = (&parts.supervisor, parts.config().app.drain_signal) {
            supervisor.signal(signal);
        }
        hooks::run(parts, "drain.on-start", &drain.on_start, left).await;
    };
    let draining = async {
        if let Some(gateway) = &parts.gateway {
            return drain_gateway(parts, gateway, served, &mut forced).await;
        }
        parts.lifecycle.apply(Change::DelayOver);
        0
    };
    let (requests_cut, ()) = tokio::join!(draining, beginning);

    let left = || drain.grace.saturating_sub(began.elapsed()).saturating_sub(FLUSH);
    let stop = &parts.config().stop;
    let mut killed = false;
    if !*forced.borrow() {
        hooks::run(parts, "stop.before", &stop.before, left()).await;
    }
    if let Some(supervisor) = &parts.supervisor {
        let patience = if *forced.borrow() { Duration::ZERO } else { left() };
        killed = supervisor.stop(patience).await.killed;
    }
    parts.emit(&Event::CleaningUp);
    if !*forced.borrow() {
        hooks::run(parts, "stop.after", &stop.after, left().max(FLUSH)).await;
    }
    Ended { forced: killed || requests_cut > 0 || *forced.borrow(), began, requests_cut }
}

/// Lets clients go. Gives the number of requests that were cut.
async fn drain_gateway(parts: &Parts, gateway: &Gateway, served: bool, forced: &mut watch::Receiver<bool>) -> u32 {
    let drain = &parts.config().drain;
    // A service that was not ready had no balancer send to it.
    let delay = if served { drain.delay } else { Duration::ZERO };
    parts.emit(&Event::Draining { delay });
    gateway.farewell(delay);
    tokio::select! {
        () = sleep(delay) => {}
        () = insisted(forced) => {}
    }
    gateway.close_listeners().await;
    parts.lifecycle.apply(Change::DelayOver);
    let in_flight = u32::try_from(gateway.in_flight()).unwrap_or(u32::MAX);
    parts.emit(&Event::ListenersClosed { in_flight });
    gateway.finish(drain.websocket_spread);
    let emptied = tokio::select! {
        emptied = timeout(drain.timeout, gateway.empty()) => emptied.is_ok(),
        () = insisted(forced) => false,
    };
    if emptied {
        return 0;
    }
    let cut = gateway.cut().await;
    for request in &cut {
        let (method, path) = (request.method.clone(), request.path.clone());
        parts.emit(&Event::RequestCut { method, path, after: request.after });
    }
    u32::try_from(cut.len()).unwrap_or(u32::MAX)
}

/// Completes when somebody insists.
async fn insisted(forced: &mut watch::Receiver<bool>) {
    if forced.wait_for(|forced| *forced).await.is_err() {
        // Nobody can insist any more.
        std::future::pending::<()>().await;
    }
}

/// Ends what shows how we are, and the log last.
pub(crate) async fn close(parts: Parts, ended: Ended, mut requests: mpsc::Receiver<ControlRequest>) {
    let Ended { forced, began, requests_cut } = ended;
    let outcome = if forced { Outcome::Forced } else { Outcome::Graceful };
    parts.emit(&Event::StopEnded { outcome, took: began.elapsed(), requests_cut });
    parts.lifecycle.apply(Change::Ended);
    requests.close();
    while let Some(request) = requests.recv().await {
        answer::answer_leaving(&parts, request);
    }
    let Parts { gateway, ops, control, egress, logger, record, telemetry, .. } = parts;
    if let Some(gateway) = gateway {
        gateway.quit();
    }
    // The program has exited, and the hooks have run: nobody is left who calls.
    if let Some(egress) = egress {
        egress.close().await;
    }
    // Workers have handed over what they had, and whoever scrapes may still see what became of it.
    telemetry.close(FLUSH).await;
    let ops = async {
        if let Some(ops) = ops {
            ops.close().await;
        }
    };
    let control = async {
        if let Some(control) = control {
            control.close().await;
        }
    };
    tokio::join!(ops, control);
    if let Some(record) = record {
        record.close();
    }
    logger.flush(Instant::now() + FLUSH);
}
