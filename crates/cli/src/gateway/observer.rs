//! What a worker tells log and metrics.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seaworthy::access::Observer;
use seaworthy::core::event::RequestFinished;
use seaworthy::core::refusal::Reason;

use super::shared::WorkerShare;
use crate::log::WorkerLog;

/// The observer of one worker. Clones observe for the same log and the same shard.
#[derive(Debug, Clone)]
pub(crate) struct WorkerObserver(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    share: Arc<WorkerShare>,
    log: RefCell<WorkerLog>,
}

impl WorkerObserver {
    pub(crate) fn new(share: Arc<WorkerShare>, log: WorkerLog) -> Self {
        Self(Rc::new(Inner { share, log: RefCell::new(log) }))
    }
    pub(crate) fn connection(&self, _protocol: &'static str) -> ConnectionOpen {
        ConnectionOpen
    }
    pub(crate) fn upstream_opened(&self) -> UpstreamOpen {
        UpstreamOpen
    }
    pub(crate) fn upstream_idle(&self, _idle: usize) {}
    pub(crate) fn upstream_answered(&self, _status: u16, _time: Duration) {}
    pub(crate) fn upstream_failed(&self, _name: &Arc<str>, _failure: &super::proxy::Failure) {}
    pub(crate) fn upstream_retried(&self) {}
    pub(crate) fn tunnel_ended(&self, _cut: bool) {}
    pub(crate) fn client_error(&self, _status: u16) {}
    pub(crate) fn refused(&self, _reason: Reason) {}
    pub(crate) fn idle_race(&self) {}
    pub(crate) fn connection_limit_hit(&self) {}

    /// Takes the settings that are in force now.
    pub(crate) fn reload(&self) {
        self.0.log.borrow_mut().reload();
    }

    /// Hands the lines of the last while to their writer.
    pub(crate) fn tick(&self) {
        self.0.log.borrow_mut().tick();
    }
}
#[derive(Debug)]
pub(crate) struct ConnectionOpen;
#[derive(Debug)]
pub(crate) struct UpstreamOpen;

impl Observer for WorkerObserver {
    fn finished(&self, request: &RequestFinished<'_>) {
        if request.refusal.is_none() && !request.aborted {
            self.0.share.completed.fetch_add(1, Ordering::Relaxed);
        }
        self.0.log.borrow_mut().access(request);
    }
}
