//! How one worker counts: finds the numbers of a request without asking anybody else.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use seaworthy::core::event::RequestFinished;
use seaworthy::core::refusal::Reason;
use seaworthy::metrics::requests::RequestShard;
use seaworthy::metrics::{Limit, client_error};

use super::cells::{Cells, OUTCOMES, UpstreamSeries};
use crate::WorkerShare;

/// A worker's own side of its [`Cells`]. Not shared: it is dropped with its worker, and the numbers stay.
#[derive(Debug)]
pub struct Shard {
    requests: RequestShard,
    cells: Arc<Cells>,
    /// How many upstreams all workers may tell apart.
    limit: Arc<Limit<Arc<str>>>,
    upstream: RefCell<Option<Arc<UpstreamSeries>>>,
}

impl Shard {
    /// Counts into new cells; `requests` is this worker's part of the library's metrics.
    pub fn new(requests: RequestShard, limit: Arc<Limit<Arc<str>>>, share: Arc<WorkerShare>) -> Self {
        Self { requests, cells: Arc::new(Cells::new(share)), limit, upstream: RefCell::default() }
    }

    /// What this worker counts.
    pub fn cells(&self) -> &Arc<Cells> {
        &self.cells
    }

    /// A request began.
    pub fn started(&self) {
        self.requests.started();
    }

    /// A request is over.
    pub fn finished(&self, request: &RequestFinished<'_>) {
        self.requests.finished(request);
    }

    /// A request was refused.
    pub fn refused(&self, reason: Reason) {
        self.requests.refused(reason);
    }

    /// A client broke HTTP and was answered with `status`; 0 where it was not answered.
    pub fn client_error(&self, status: u16) {
        self.cells.client_errors[client_error(status)].add(1);
        if let Some(reason) = Reason::of_client_error(status) {
            self.requests.refused(reason);
        }
    }

    /// An upstream answered, or failed with an outcome.
    pub fn upstream_ended(&self, name: &Arc<str>, outcome: &str, time: Option<Duration>) {
        let mut current = self.upstream.borrow_mut();
        // There is one upstream for nearly all of the time.
        if current.as_ref().is_none_or(|series| *series.name != **name) {
            *current = self.upstream_series(name);
        }
        let Some(series) = &*current else { return };
        let index = OUTCOMES.iter().position(|known| *known == outcome).unwrap_or(OUTCOMES.len() - 1);
        series.outcomes[index].add(1);
        if let Some(time) = time {
            series.durations.observe(time);
        }
    }

    fn upstream_series(&self, name: &Arc<str>) -> Option<Arc<UpstreamSeries>> {
        let mut upstreams = self.cells.upstreams();
        if let Some(known) = upstreams.iter().find(|series| *series.name == **name) {
            return Some(known.clone());
        }
        if !self.limit.admit(name) {
            return None;
        }
        let (outcomes, durations) = Default::default();
        let series = Arc::new(UpstreamSeries { name: name.clone(), outcomes, durations });
        upstreams.push(series.clone());
        Some(series)
    }

    /// A tunnel ended, by its ends or by us.
    pub fn tunnel_ended(&self, cut: bool) {
        if cut { &self.cells.tunnels_cut } else { &self.cells.tunnels_closed }.add(1);
    }

    pub fn upstream_idle(&self, idle: usize) {
        self.cells.upstream_idle.set(idle as u64);
    }

    pub fn upstream_retried(&self) {
        self.cells.upstream_retries.add(1);
    }

    pub fn idle_race(&self) {
        self.cells.idle_races.add(1);
    }

    pub fn connection_limit_hit(&self) {
        self.cells.connection_limit_hits.add(1);
    }

    pub fn tick(&self) {
        self.requests.tick();
    }
}
