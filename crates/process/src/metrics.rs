//! Metrics: from facts to an exposition.
//!
//! # Rules
//!
//! - On the path of a request nothing is shared: a worker adds to numbers that it alone writes, in a series that it found
//!   without asking anybody. Whoever reads adds the workers up.
//! - No input makes a new series without end: what is beyond `metrics.max-series` is counted under [`OTHER`], and so is
//!   how often that happened.
//! - Numbers stay when their worker is gone, so that no counter ever falls.

mod facts;
mod health;
mod page;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use seaworthy::core::event::{Event, Sink};
use seaworthy::core::metric::{Exposition, Format};
use seaworthy::health::Health;
use seaworthy::metrics::Limit;
use seaworthy::metrics::requests::SERIES;
use seaworthy_checks::{Gateway, Traffic};

use seaworthy_gateway::WorkerShare;
use seaworthy_gateway::metrics::{Cells, OUTCOMES, Shard};

use self::facts::Facts;
use crate::egress::Board;
use crate::log::Logger;
use crate::telemetry::Counters;

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
    /// What the program calls through us.
    pub(crate) egress: Board,
    /// When this process began.
    pub(crate) started: Instant,
}

impl fmt::Debug for MetricsSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsSetup").field("service", &self.service).finish_non_exhaustive()
    }
}

/// The metrics of the process: those of the library, and those of a gateway.
#[derive(Debug)]
pub(crate) struct Metrics {
    library: seaworthy::metrics::Metrics,
    setup: MetricsSetup,
    facts: Facts,
    /// Of every worker that ever was.
    shards: Mutex<Vec<Arc<Cells>>>,
    upstreams: Arc<Limit<Arc<str>>>,
}

impl Metrics {
    pub(crate) fn new(setup: MetricsSetup) -> Arc<Self> {
        let library = seaworthy::metrics::Metrics::builder(&setup.service)
            .version(setup.version.as_deref().unwrap_or_default())
            .max_series(setup.max_series)
            .started(setup.started)
            .build();
        library.watch_health(setup.health.clone());
        let upstreams: Arc<Limit<Arc<str>>> = Arc::new(Limit::new(setup.max_series / SERIES));
        let counted = upstreams.clone();
        library.watch_limit("upstream_requests", move || counted.beyond());
        Arc::new(Self { library, facts: Facts::default(), shards: Mutex::default(), upstreams, setup })
    }

    /// The part of one worker, to be made on its thread.
    pub(crate) fn worker(self: &Arc<Self>, share: Arc<WorkerShare>) -> Shard {
        let worker = Shard::new(self.library.requests().shard(), self.upstreams.clone(), share);
        lock(&self.shards).push(worker.cells().clone());
        worker
    }

    /// Shows what became of spans, reports and entries of the audit trail, too.
    pub(crate) fn show_telemetry(&self, counters: Counters) {
        let Counters { spans, reports, audit } = counters;
        if let Some(spans) = spans {
            self.library.watch_spans(spans);
        }
        if let Some(reports) = reports {
            self.library.watch_reports(reports);
        }
        if let Some(audit) = audit {
            self.library.watch_audit(audit);
        }
    }

    /// Everything as it is now.
    pub(crate) fn exposition(&self, format: Format) -> Vec<u8> {
        page::write(self, format)
    }

    /// Asks `write` for families with every page.
    pub(crate) fn collect(&self, write: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.library.collect(write);
    }

    /// As [`collect`](Self::collect), behind all others: where names clash, these give way.
    pub(crate) fn collect_last(&self, write: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.library.collect_last(write);
    }
}

/// Reads what the workers count anyway: a request pays nothing for it.
impl Gateway for Metrics {
    fn traffic(&self, upstream: Option<&str>) -> Traffic {
        let mut traffic = Traffic::default();
        for cells in lock(&self.shards).iter() {
            traffic.in_flight += cells.share.in_flight.get() as u64;
            let upstreams = cells.upstreams();
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
        self.library.emit(event);
        self.facts.count(event);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
