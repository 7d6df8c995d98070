//! What a worker tells log and metrics.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seaworthy::access::Observer;
use seaworthy::core::event::RequestFinished;
use seaworthy::core::refusal::Reason;

use super::shared::WorkerShare;

/// The observer of one worker. Clones observe for the same log and the same shard.
#[derive(Debug, Clone)]
pub(crate) struct WorkerObserver(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    share: Arc<WorkerShare>,
}

impl WorkerObserver {
    pub(crate) fn new(share: Arc<WorkerShare>) -> Self {
        Self(Rc::new(Inner { share }))
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
    pub(crate) fn reload(&self) {}
    pub(crate) fn tick(&self) {}
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
    }
}
