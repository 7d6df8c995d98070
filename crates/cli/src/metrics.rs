//! Metrics: from facts to an exposition.
//!
//! # Rules
//!
//! - On the path of a request nothing is shared: a worker adds to numbers that it alone writes, in a series that it found
//!   without asking anybody. Whoever reads adds the workers up.
//! - No input makes a new series without end: what is beyond `metrics.max-series` is counted under [`OTHER`], and so is
//!   how often that happened.
//! - Numbers stay when their worker is gone, so that no counter ever falls.

mod cell;
mod cells;
mod facts;
mod health;
mod page;
mod process;
mod shard;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use seaworthy::core::event::{Event, Sink};
use seaworthy::core::metric::{DURATIONS, Format, OTHER, SeriesLimit, UNMATCHED};
use seaworthy::health::Health;
use seaworthy_checks::{Gateway, Traffic};

pub(crate) use self::cells::{Cells, Counted, Open};
pub(crate) use self::process::Usage;
pub(crate) use self::shard::Shard;

use self::cells::{OUTCOMES, RequestKey};
use self::facts::Facts;
use crate::gateway::WorkerShare;
use crate::log::Logger;

/// What metrics are made of.
pub(crate) struct MetricsSetup {
    pub(crate) service: String,
    /// The version of the program, if anybody said it.
    pub(crate) version: Option<String>,
    /// How many series a family may have; a label set of a histogram has [`SERIES`].
    pub(crate) max_series: usize,
    /// Whose lost lines are counted.
    pub(crate) log: Logger,
    /// The processes of the program's tree; empty where there is none.
    pub(crate) app: Box<dyn Fn() -> Vec<u32> + Send + Sync>,
    /// What checks have found.
    pub(crate) health: Health,
    /// When this process began.
    pub(crate) started: Instant,
}

impl fmt::Debug for MetricsSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsSetup").field("service", &self.service).finish_non_exhaustive()
    }
}

/// The metrics of the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    setup: MetricsSetup,
    facts: Facts,
    /// Of every worker that ever was.
    shards: Mutex<Vec<Arc<Cells>>>,
    requests: Limit<RequestKey>,
    upstreams: Limit<Arc<str>>,
}

impl Metrics {
    pub(crate) fn new(setup: MetricsSetup) -> Arc<Self> {
        Arc::new(Self {
            requests: Limit::new(setup.max_series / SERIES),
            upstreams: Limit::new(setup.max_series / SERIES),
            facts: Facts::default(),
            shards: Mutex::default(),
            setup,
        })
    }

    /// The part of one worker, to be made on its thread.
    pub(crate) fn worker(self: &Arc<Self>, share: Arc<WorkerShare>) -> Shard {
        let worker = Shard::new(self.clone(), share);
        lock(&self.shards).push(worker.cells().clone());
        worker
    }

    /// Everything as it is now.
    pub(crate) fn exposition(&self, format: Format) -> Vec<u8> {
        page::write(self, format, Instant::now())
    }

    /// Whether a worker may have a series for this label set. The routes that stand for many need no leave: there are as
    /// many of them as methods and statuses.
    fn admit_request(&self, key: &RequestKey) -> bool {
        matches!(&*key.route, UNMATCHED | OTHER) || self.requests.admit(key)
    }

    fn admit_upstream(&self, name: &Arc<str>) -> bool {
        self.upstreams.admit(name)
    }
}

/// How many series a label set has in a histogram: its buckets, its sum and its count.
const SERIES: usize = DURATIONS.len() + 3;

/// How many label sets a family has, of all workers.
#[derive(Debug)]
struct Limit<K> {
    known: Mutex<SeriesLimit<K>>,
    /// Observations that found no series.
    beyond: AtomicU64,
}

impl<K: Clone + Eq + std::hash::Hash> Limit<K> {
    fn new(most: usize) -> Self {
        Self { known: Mutex::new(SeriesLimit::new(most)), beyond: AtomicU64::new(0) }
    }

    fn admit(&self, key: &K) -> bool {
        let admitted = match self.known.try_lock() {
            Ok(mut known) => known.admit(key.clone()),
            // Beyond the limit every request comes by here, and none of them shall wait for another.
            Err(TryLockError::WouldBlock) if self.beyond.load(Ordering::Relaxed) > 0 => false,
            Err(_) => lock(&self.known).admit(key.clone()),
        };
        if !admitted {
            self.beyond.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }
}

/// Reads what the workers count anyway: a request pays nothing for it.
impl Gateway for Metrics {
    fn traffic(&self, upstream: Option<&str>) -> Traffic {
        let mut traffic = Traffic::default();
        for cells in lock(&self.shards).iter() {
            traffic.in_flight += cells.active.get();
            let upstreams = lock(&cells.upstreams);
            for series in upstreams.iter().filter(|series| upstream.is_none_or(|name| *series.name == *name)) {
                for (outcome, count) in OUTCOMES.iter().zip(&series.outcomes) {
                    let (count, failed) = match *outcome {
                        // What the client did to itself.
                        "client_body" => continue,
                        "answered" => (count.get(), 0),
                        _ => (count.get(), count.get()),
                    };
                    traffic.requests += count;
                    traffic.failures += failed;
                }
            }
        }
        traffic
    }
}

impl Sink for Metrics {
    fn emit(&self, event: &Event) {
        self.facts.count(event, Instant::now());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
