//! What is counted of requests: by each thread for itself, added up by whoever reads.
//!
//! For a server with threads of its own; everybody else has [`Metrics::observer`](super::Metrics::observer).
//!
//! ```
//! use seaworthy::core::metric::Format;
//! use seaworthy::metrics::Metrics;
//!
//! let metrics = Metrics::new("orders");
//! let shard = metrics.requests().shard(); // one a thread
//! shard.started();
//! let page = String::from_utf8(metrics.exposition(Format::Text))?;
//! assert!(page.contains("\nhttp_active_requests 1\n"));
//! metrics.requests().give_back(shard);
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::UNIX_EPOCH;

use seaworthy_core::event::RequestFinished;
use seaworthy_core::metric::{self, DURATIONS, Exemplar, Exposition, METHODS, OTHER, Observed, UNMATCHED};
use seaworthy_core::refusal::Reason;

use super::cell::{Count, Durations, Total, Traced};
use super::{Limit, lock};
use metric::Kind::{Counter, Gauge, Histogram};

/// How many series a label set has in a histogram of durations: its buckets, its sum and its count.
pub const SERIES: usize = DURATIONS.len() + 3;

/// The requests of a process. Numbers stay when the thread that counted them is gone, so that no counter ever falls.
#[derive(Debug)]
pub struct Requests {
    limit: Arc<Limit<RequestKey>>,
    /// Of every thread that ever was, but for those that took over from one that ended.
    cells: Mutex<Vec<Arc<RequestCells>>>,
    /// What threads that ended have left.
    free: Mutex<Vec<RequestShard>>,
}

impl Requests {
    /// `max_series` is how many series a family may have; a label set takes [`SERIES`] of them.
    #[must_use]
    pub fn new(max_series: usize) -> Arc<Self> {
        let limit = Arc::new(Limit::new(max_series / SERIES));
        Arc::new(Self { limit, cells: Mutex::default(), free: Mutex::default() })
    }

    /// The part of one thread.
    #[must_use]
    pub fn shard(&self) -> RequestShard {
        if let Some(free) = lock(&self.free).pop() {
            return free;
        }
        let shard = RequestShard::new(self.limit.clone());
        lock(&self.cells).push(shard.cells.clone());
        shard
    }

    /// Takes the part of a thread that ends, for one that begins: threads may come and go without end.
    pub fn give_back(&self, shard: RequestShard) {
        lock(&self.free).push(shard);
    }

    /// Observations that found no series of their own, and were counted under [`OTHER`].
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.limit.beyond()
    }

    /// How many requests were refused for this reason.
    pub(super) fn refused(&self, reason: Reason) -> u64 {
        let Some(index) = Reason::ALL.iter().position(|known| *known == reason) else { return 0 };
        lock(&self.cells).iter().map(|cells| cells.refused[index].get()).sum()
    }

    /// How many parts there are.
    #[cfg(test)]
    pub(super) fn shards(&self) -> usize {
        lock(&self.cells).len()
    }

    /// How many requests are being served.
    #[must_use]
    pub fn active(&self) -> u64 {
        active(&lock(&self.cells))
    }

    /// Writes the families of requests.
    pub fn write(&self, page: &mut Exposition) {
        let shards: Vec<Arc<RequestCells>> = lock(&self.cells).clone();
        series(page, &shards);
        let sum = |of: &dyn Fn(&RequestCells) -> u64| shards.iter().map(|cells| of(cells)).sum::<u64>();
        page.family("http_active_requests", Gauge, "Requests being served.").sample(&[], active(&shards));
        page.family("http_request_bytes_total", Counter, "Bytes of bodies of requests.")
            .sample(&[], sum(&|cells| cells.bytes_in.get()));
        page.family("http_response_bytes_total", Counter, "Bytes of bodies of answers.")
            .sample(&[], sum(&|cells| cells.bytes_out.get()));
        let mut family =
            page.family("http_requests_refused_total", Counter, "Requests that were not served, by reason.");
        for (index, reason) in Reason::ALL.iter().enumerate() {
            family.sample(&[("reason", reason.name())], sum(&|cells| cells.refused[index].get()));
        }
    }
}

/// A request may begin on one thread and end on another: only the sums can be held against each other. Those that ended
/// are read first, or one that ends meanwhile would be missing.
fn active(shards: &[Arc<RequestCells>]) -> u64 {
    let finished: u64 = shards.iter().map(|cells| cells.finished.get()).sum();
    let started: u64 = shards.iter().map(|cells| cells.started.get()).sum();
    started.saturating_sub(finished)
}

fn series(page: &mut Exposition, shards: &[Arc<RequestCells>]) {
    let mut requests: BTreeMap<RequestKey, (Total, Option<Exemplar>)> = BTreeMap::new();
    for cells in shards {
        // Copied out, so that a thread with a new series does not wait for the sums.
        let series = lock(&cells.series).clone();
        for series in series {
            let (total, exemplar) = requests.entry(series.key.clone()).or_default();
            total.add(&series.durations);
            let latest = series.traced.get().and_then(|traced| traced.get());
            *exemplar = [*exemplar, latest].into_iter().flatten().max_by_key(|exemplar| exemplar.time);
        }
    }
    let requests: Vec<_> =
        requests.into_iter().map(|(key, (total, exemplar))| (key.status.to_string(), key, total, exemplar)).collect();
    let mut family =
        page.family("http_requests_total", Counter, "Requests that are over, by method, route and status.");
    for (status, key, total, _) in &requests {
        let labels = [("method", METHODS[key.method]), ("route", &*key.route), ("status", status)];
        family.sample(&labels, total.count());
    }
    let help = "Time from the head of a request to the end of its answer.";
    let mut family = page.family("http_request_duration_seconds", Histogram, help);
    for (status, key, total, exemplar) in &requests {
        let labels = [("method", METHODS[key.method]), ("route", &*key.route), ("status", status)];
        family.histogram(&labels, &observed(total, *exemplar));
    }
}

/// A total as it is written out.
#[must_use]
pub fn observed(total: &Total, exemplar: Option<Exemplar>) -> Observed<'_> {
    Observed { bounds: &DURATIONS, counts: &total.counts, sum: total.seconds(), exemplar }
}

/// What one thread counts. Series are only ever added, under a lock that is taken for a series that is new, and to read.
#[derive(Debug, Default)]
struct RequestCells {
    started: Count,
    finished: Count,
    bytes_in: Count,
    bytes_out: Count,
    refused: [Count; Reason::ALL.len()],
    series: Mutex<Vec<Arc<RequestSeries>>>,
}

/// Requests of one label set.
#[derive(Debug)]
struct RequestSeries {
    key: RequestKey,
    durations: Durations,
    /// Made with the first request that has a trace: many a service never sees one.
    traced: OnceLock<Box<Traced>>,
}

/// The label set of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct RequestKey {
    route: Arc<str>,
    /// An index of [`METHODS`].
    method: usize,
    status: u16,
}

/// One thread's own side of [`Requests`]: finds the numbers of a request without asking anybody else.
#[derive(Debug)]
pub struct RequestShard {
    cells: Arc<RequestCells>,
    limit: Arc<Limit<RequestKey>>,
    /// The series of requests by route, then by method and status: a handful each.
    routes: RefCell<HashMap<Arc<str>, Vec<Handle>, BuildHasherDefault<RouteHasher>>>,
    unmatched: RefCell<Vec<Handle>>,
    /// Grows with each tick.
    turn: Cell<u32>,
}

#[derive(Debug)]
struct Handle {
    series: Arc<RequestSeries>,
    /// The turn in which it had its last exemplar: one a turn is enough.
    traced: Cell<u32>,
}

impl RequestShard {
    fn new(limit: Arc<Limit<RequestKey>>) -> Self {
        Self {
            cells: Arc::default(),
            limit,
            routes: RefCell::default(),
            unmatched: RefCell::default(),
            turn: Cell::new(1),
        }
    }

    /// A request began.
    pub fn started(&self) {
        self.cells.started.add(1);
    }

    /// A request is over.
    pub fn finished(&self, request: &RequestFinished<'_>) {
        let cells = &self.cells;
        cells.finished.add(1);
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

    /// Something was refused, be it a request or what never became one.
    pub fn refused(&self, reason: Reason) {
        if let Some(index) = Reason::ALL.iter().position(|known| *known == reason) {
            self.cells.refused[index].add(1);
        }
    }

    /// Some time passed: each series may have another exemplar.
    pub fn tick(&self) {
        // 0 is what a handle begins with.
        self.turn.set(self.turn.get().wrapping_add(1).max(1));
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
        // The routes that stand for many need no leave: there are as many of them as methods and statuses.
        if !matches!(route, UNMATCHED | OTHER) && !self.limit.admit(&key) {
            return false;
        }
        let series = Arc::new(RequestSeries { key, durations: Durations::default(), traced: OnceLock::new() });
        lock(&self.cells.series).push(series.clone());
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
        {
            let time = request.ended.duration_since(UNIX_EPOCH).unwrap_or_default();
            handle.series.traced.get_or_init(Box::default).set(trace_id.number(), request.duration, time);
        }
    }
}

/// Hashes routes eight bytes at a time. They are the service's own words and limited in number, so that nothing is to be
/// feared from whoever would choose them to collide; `SipHash` costs more than all the rest of counting.
#[derive(Debug, Default)]
struct RouteHasher(u64);

impl Hasher for RouteHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        // The table takes its places from both ends of the number.
        self.0 ^ self.0 >> 32
    }
}
