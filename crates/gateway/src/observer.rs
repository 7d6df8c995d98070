//! What a worker tells log and metrics.
//!
//! All of it happens on the worker's own thread, in its own buffer and its own numbers: a request costs no lock, no system
//! call and, once its route is known, no allocation.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seaworthy::access::Observer;
use seaworthy::core::event::RequestFinished;

use super::proxy::Failure;
use super::shared::WorkerShare;
use crate::metrics::{Counted, Open, Shard};
use crate::telemetry::WorkerTelemetry;
use seaworthy::log::WorkerLog;

/// The observer of one worker. Clones observe for the same log and the same shard.
#[derive(Debug, Clone)]
pub struct WorkerObserver(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    share: Arc<WorkerShare>,
    log: RefCell<WorkerLog>,
    metrics: Shard,
    telemetry: Option<RefCell<WorkerTelemetry>>,
}

impl WorkerObserver {
    pub fn new(share: Arc<WorkerShare>, log: WorkerLog, metrics: Shard, telemetry: Option<WorkerTelemetry>) -> Self {
        Self(Rc::new(Inner { share, log: RefCell::new(log), metrics, telemetry: telemetry.map(RefCell::new) }))
    }

    /// A client's connection is open for as long as what is returned lives.
    pub(crate) fn connection(&self, protocol: &'static str) -> ConnectionOpen {
        let what = if protocol == "http2" { Open::Http2 } else { Open::Http1 };
        ConnectionOpen { _counted: Counted::new(self.0.metrics.cells(), what) }
    }

    /// A connection to an upstream is open for as long as what is returned lives.
    pub(crate) fn upstream_opened(&self) -> UpstreamOpen {
        UpstreamOpen { _counted: Counted::new(self.0.metrics.cells(), Open::Upstream) }
    }

    /// So many of them wait to be used again.
    pub(crate) fn upstream_idle(&self, idle: usize) {
        self.0.metrics.upstream_idle(idle);
    }

    pub(crate) fn upstream_answered(&self, name: &Arc<str>, status: u16, time: Duration) {
        let outcome = if status >= 500 { "server_error" } else { "answered" };
        self.0.metrics.upstream_ended(name, outcome, Some(time));
    }

    pub(crate) fn upstream_failed(&self, name: &Arc<str>, failure: &Failure) {
        self.0.metrics.upstream_ended(name, failure.outcome(), None);
    }

    pub(crate) fn upstream_retried(&self) {
        self.0.metrics.upstream_retried();
    }

    pub(crate) fn tunnel_ended(&self, cut: bool) {
        self.0.metrics.tunnel_ended(cut);
    }

    /// A client broke HTTP and was answered with `status`; 0 where it was not answered.
    pub(crate) fn client_error(&self, status: u16) {
        self.0.metrics.client_error(status);
    }

    pub(crate) fn idle_race(&self) {
        self.0.metrics.idle_race();
    }

    pub(crate) fn connection_limit_hit(&self) {
        self.0.metrics.connection_limit_hit();
    }

    /// Takes the settings of the log that are in force now.
    pub(crate) fn reload(&self) {
        self.0.log.borrow_mut().reload();
        if let Some(telemetry) = &self.0.telemetry {
            telemetry.borrow_mut().reload();
        }
    }

    /// Hands the lines of the last while to their writer.
    pub(crate) fn tick(&self) {
        self.0.log.borrow_mut().tick();
        self.0.metrics.tick();
        if let Some(telemetry) = &self.0.telemetry {
            telemetry.borrow_mut().tick();
        }
    }
}

/// An open connection of a client.
#[derive(Debug)]
pub(crate) struct ConnectionOpen {
    _counted: Counted,
}

/// An open connection to an upstream.
#[derive(Debug)]
pub(crate) struct UpstreamOpen {
    _counted: Counted,
}

impl Observer for WorkerObserver {
    fn started(&self) {
        self.0.metrics.started();
    }

    fn finished(&self, request: &RequestFinished<'_>) {
        if request.refusal.is_none() && !request.aborted {
            self.0.share.completed.fetch_add(1, Ordering::Relaxed);
        }
        self.0.metrics.finished(request);
        self.0.log.borrow_mut().access(request);
        if let Some(telemetry) = &self.0.telemetry {
            telemetry.borrow_mut().finished(request);
        }
    }
}
