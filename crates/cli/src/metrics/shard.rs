//! How one worker counts: finds the numbers of a request without asking anybody else.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seaworthy::core::event::RequestFinished;
use seaworthy::core::metric::{self, OTHER, UNMATCHED};
use seaworthy::core::refusal::Reason;

use super::cell::Durations;
use super::cells::{CLIENT_ERRORS, Cells, OUTCOMES, RequestKey, RequestSeries, UpstreamSeries};
use super::{Metrics, lock};
use crate::gateway::WorkerShare;

/// A worker's own side of its [`Cells`]. Not shared: it is dropped with its worker, and the numbers stay.
#[derive(Debug)]
pub(crate) struct Shard {
    cells: Arc<Cells>,
    metrics: Arc<Metrics>,
    /// The series of requests by route, then by method and status: a handful each.
    routes: RefCell<HashMap<Arc<str>, Vec<Handle>>>,
    unmatched: RefCell<Vec<Handle>>,
    upstream: RefCell<Option<Arc<UpstreamSeries>>>,
    /// Grows with each tick.
    turn: Cell<u32>,
}

#[derive(Debug)]
struct Handle {
    series: Arc<RequestSeries>,
    /// The turn in which it had its last exemplar: one a turn is enough.
    traced: Cell<u32>,
}

impl Shard {
    pub(super) fn new(metrics: Arc<Metrics>, share: Arc<WorkerShare>) -> Self {
        Self {
            cells: Arc::new(Cells::new(share)),
            metrics,
            routes: RefCell::default(),
            unmatched: RefCell::default(),
            upstream: RefCell::default(),
            turn: Cell::new(1),
        }
    }

    /// What this worker counts.
    pub(crate) fn cells(&self) -> &Arc<Cells> {
        &self.cells
    }

    /// A request began.
    pub(crate) fn started(&self) {
        self.cells.active.up();
    }

    /// A request is over.
    pub(crate) fn finished(&self, request: &RequestFinished<'_>) {
        let cells = &self.cells;
        cells.active.down();
        cells.bytes_in.add(request.bytes_in);
        cells.bytes_out.add(request.bytes_out);
        if let Some(reason) = request.refusal {
            self.refused(reason);
        }
        let route = metric::route(request.route);
        // Beyond the limit nothing is lost but the name.
        if !self.observe(route, request) {
            self.observe(OTHER, request);
        }
    }

    /// Adds to the series of a request; false where it has none and may not have one.
    fn observe(&self, route: &str, request: &RequestFinished<'_>) -> bool {
        let method = metric::method(request.method);
        let is_it = |handle: &&Handle| handle.series.key.status == request.status && handle.series.key.method == method;
        let mut unmatched = self.unmatched.borrow_mut();
        let mut routes = self.routes.borrow_mut();
        let handles = if route == UNMATCHED { Some(&mut *unmatched) } else { routes.get_mut(route) };
        if let Some(handle) = handles.as_deref().and_then(|handles| handles.iter().find(is_it)) {
            self.record(handle, request);
            return true;
        }
        let key = RequestKey { route: route.into(), method, status: request.status };
        if !self.metrics.admit_request(&key) {
            return false;
        }
        let series = Arc::new(RequestSeries { key, durations: Durations::default(), traced: OnceLock::new() });
        lock(&self.cells.requests).push(series.clone());
        let handle = Handle { series, traced: Cell::new(0) };
        self.record(&handle, request);
        match handles {
            Some(handles) => handles.push(handle),
            None => drop(routes.insert(handle.series.key.route.clone(), vec![handle])),
        }
        true
    }

    fn record(&self, handle: &Handle, request: &RequestFinished<'_>) {
        handle.series.durations.observe(request.duration);
        if let Some(trace_id) = request.trace_id
            && handle.traced.replace(self.turn.get()) != self.turn.get()
            && let Ok(trace_id) = u128::from_str_radix(trace_id, 16)
        {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            handle.series.traced.get_or_init(Box::default).set(trace_id, request.duration, time);
        }
    }

    /// A request was refused.
    pub(crate) fn refused(&self, reason: Reason) {
        if let Some(index) = Reason::ALL.iter().position(|known| *known == reason) {
            self.cells.refused[index].add(1);
        }
    }

    /// A client broke HTTP and was answered with `status`; 0 where it was not answered.
    pub(crate) fn client_error(&self, status: u16) {
        let index = CLIENT_ERRORS.iter().position(|(known, _)| *known == status);
        self.cells.client_errors[index.unwrap_or(CLIENT_ERRORS.len() - 1)].add(1);
    }

    /// An upstream answered, or failed with an outcome.
    pub(crate) fn upstream_ended(&self, name: &Arc<str>, outcome: &str, time: Option<Duration>) {
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
        let mut upstreams = lock(&self.cells.upstreams);
        if let Some(known) = upstreams.iter().find(|series| *series.name == **name) {
            return Some(known.clone());
        }
        if !self.metrics.admit_upstream(name) {
            return None;
        }
        let (outcomes, durations) = Default::default();
        let series = Arc::new(UpstreamSeries { name: name.clone(), outcomes, durations });
        upstreams.push(series.clone());
        Some(series)
    }

    /// A tunnel ended, by its ends or by us.
    pub(crate) fn tunnel_ended(&self, cut: bool) {
        if cut { &self.cells.tunnels_cut } else { &self.cells.tunnels_closed }.add(1);
    }

    pub(crate) fn upstream_idle(&self, idle: usize) {
        self.cells.upstream_idle.set(idle as u64);
    }

    pub(crate) fn upstream_retried(&self) {
        self.cells.upstream_retries.add(1);
    }

    pub(crate) fn idle_race(&self) {
        self.cells.idle_races.add(1);
    }

    pub(crate) fn connection_limit_hit(&self) {
        self.cells.connection_limit_hits.add(1);
    }

    pub(crate) fn tick(&self) {
        // 0 is what a handle begins with.
        self.turn.set(self.turn.get().wrapping_add(1).max(1));
    }
}
