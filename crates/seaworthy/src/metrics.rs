//! Metrics: requests, shutdowns, processes and health by themselves, and families of the service's own.
//!
//! # Rules
//!
//! - On the path of a request nothing is shared: a thread adds to numbers that it alone writes, in a series that it found
//!   without asking anybody. Whoever reads adds the threads up.
//! - No input makes a new series without end: what is beyond `max_series` is counted under `other`, and so is how often
//!   that happened.
//! - A family whose name is taken by one of ours is shown as `app_` and its name.
//!
//! # Example
//!
//! ```
//! use seaworthy::core::metric::Format;
//! use seaworthy::metrics::{Metrics, counter};
//!
//! counter! {
//!     /// Orders, by how they were paid.
//!     pub struct Orders("orders_total") { payment: &str }
//! }
//!
//! let metrics = Metrics::new("shop");
//! Orders::register(&metrics)?.with("card").inc();
//! let page = String::from_utf8(metrics.exposition(Format::Text)).expect("text is UTF-8");
//! assert!(page.contains("\norders_total{payment=\"card\"} 1\n"));
//! # Ok::<(), seaworthy::metrics::FamilyError>(())
//! ```
//!
//! Requests are counted by [`Metrics::observer`], in an [`AccessLayer`](crate::access::AccessLayer); facts by the
//! [`Sink`] that [`Metrics`] is.

mod calls;
#[doc(hidden)]
pub mod cell;
mod connections;
mod facts;
pub mod families;
mod family;
pub mod health;
mod instrument;
mod macros;
mod observer;
mod process;
mod refusals;
#[doc(hidden)]
pub mod requests;
#[cfg(any(feature = "audit", feature = "otlp", feature = "sentry"))]
mod telemetry;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Instant;

use seaworthy_core::accept::Accept;
use seaworthy_core::event::{Event, Sink};
use seaworthy_core::metric::Kind::{Counter as CounterKind, Gauge as GaugeKind};
use seaworthy_core::metric::{Exposition, Format, SeriesLimit};

pub use crate::__seaworthy_counter as counter;
pub use crate::__seaworthy_gauge as gauge;
pub use crate::__seaworthy_histogram as histogram;
pub use crate::__seaworthy_label as label;
#[doc(hidden)]
pub use calls::{Called, write_breakers, write_hedges, write_retries};
#[doc(hidden)]
pub use connections::{CLIENT_ERRORS, Connections, client_error};
pub use family::{Counters, Family, Gauges, Histograms};
pub use instrument::{Buckets, Counter, Gauge, Held, Histogram, Instrument};
pub use observer::RequestObserver;
#[doc(hidden)]
pub use process::{Usage, boot, most_files};

use crate::health::Health;
use crate::log::Logger;
use crate::probes::Scrape;
use calls::Calls;
use connections::Servers;
use facts::Facts;
use family::Written;
use refusals::Refusals;
use requests::Requests;

/// How many series a family has at most when nobody says.
pub const MAX_SERIES: usize = 10_000;

/// The metrics of a process. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    service: String,
    version: OnceLock<String>,
    max_series: usize,
    started: Instant,
    requests: Arc<Requests>,
    observer: RequestObserver,
    facts: Facts,
    families: Mutex<BTreeMap<String, Entered>>,
    collectors: Mutex<Vec<Collector>>,
    last: Mutex<Vec<Collector>>,
    limits: Mutex<Vec<(&'static str, Beyond)>>,
    health: Mutex<Option<Health>>,
    calls: Calls,
    servers: Servers,
    refusals: Refusals,
}

type Beyond = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A family, once as what it is and once as what a page sees.
struct Entered {
    family: Box<dyn Any + Send + Sync>,
    written: Arc<dyn Written>,
}

type Collector = Arc<dyn Fn(&mut Exposition) + Send + Sync>;

/// Why a family cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the message shows")]
pub enum FamilyError {
    /// It is no name of a metric.
    #[error("{0:?} is no name of a metric: use letters, digits, _ and :, and no digit first")]
    Name(String),
    /// It is no name of a label, or stands there twice.
    #[error(
        "{label:?} cannot be a label of {family}: use each name once, of letters, digits and _, not __ first, and no le in a histogram"
    )]
    Label { family: String, label: String },
    /// A counter is called otherwise.
    #[error("a counter is called something_total, and {0:?} is not")]
    Suffix(String),
    /// Another family has it.
    #[error("{0:?} is registered already, with another kind, other labels or other buckets")]
    Taken(String),
    /// They do not ascend, or are none or too many.
    #[error("buckets must be 1 to 64 finite bounds that ascend, and are {0:?}")]
    Buckets(Vec<f64>),
}

impl Metrics {
    /// Metrics of a service, with [`MAX_SERIES`] a family.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self::builder(service).build()
    }

    /// Metrics with settings of their own; `service` is what `build_info` shows.
    pub fn builder(service: &str) -> Builder {
        Builder {
            service: service.to_owned(),
            version: OnceLock::new(),
            max_series: MAX_SERIES,
            started: Instant::now(),
        }
    }

    /// The version of the service, where none was stated.
    pub(crate) fn serve_version(&self, version: &str) {
        // What was stated stands.
        let _ = self.0.version.set(version.to_owned());
    }

    /// Counts requests, from any thread.
    #[must_use]
    pub fn observer(&self) -> RequestObserver {
        self.0.observer
    }

    /// What is counted of requests, for a server that gives each of its threads a [`requests::RequestShard`].
    #[must_use]
    #[doc(hidden)]
    pub fn requests(&self) -> &Arc<Requests> {
        &self.0.requests
    }

    /// How many series a family may have.
    #[must_use]
    pub fn max_series(&self) -> usize {
        self.0.max_series
    }

    /// The family of this name; it is entered where there is none yet. The macros [`counter!`](counter),
    /// [`gauge!`](gauge) and [`histogram!`](histogram) check the names when they are compiled, and values by their types.
    ///
    /// # Errors
    ///
    /// If a name breaks the rules, or is taken by a family that is different.
    pub fn family<I: Instrument>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        settings: I::Settings,
    ) -> Result<Family<I>, FamilyError> {
        let mut families = lock(&self.0.families);
        if let Some(entered) = families.get(name) {
            let same = entered.family.downcast_ref::<Family<I>>().filter(|family| family.is_like(labels, &settings));
            return same.cloned().ok_or_else(|| FamilyError::Taken(name.to_owned()));
        }
        let family = Family::new(name, help, labels, settings, self.0.max_series)?;
        let entered = Entered { family: Box::new(family.clone()), written: Arc::new(family.clone()) };
        families.insert(name.to_owned(), entered);
        Ok(family)
    }

    /// Asks `write` for families with every page. It must neither wait nor panic.
    pub fn collect(&self, write: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        lock(&self.0.collectors).push(Arc::new(write));
    }

    /// As [`collect`](Self::collect), behind all other families: where names clash, these give way
    /// ([`Exposition::free_name`]).
    pub fn collect_last(&self, write: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        lock(&self.0.last).push(Arc::new(write));
    }

    /// Shows under `family` how many observations `beyond` says were beyond a limit of series.
    #[doc(hidden)]
    pub fn watch_limit(&self, family: &'static str, beyond: impl Fn() -> u64 + Send + Sync + 'static) {
        lock(&self.0.limits).push((family, Arc::new(beyond)));
    }

    /// Shows how many lines of the log were lost.
    pub fn watch_log(&self, logger: Logger) {
        self.collect(move |page| {
            page.family("log_lines_dropped_total", CounterKind, "Lines of the log that its output did not take.")
                .sample(&[], logger.dropped());
        });
    }

    /// Shows what checks have found.
    pub fn watch_health(&self, health: Health) {
        let (started, most) = (self.0.started, self.0.max_series);
        *lock(&self.0.health) = Some(health.clone());
        self.collect(move |page| {
            let (snapshot, now) = (health.snapshot(), Instant::now());
            let aged = snapshot.is_stale(now).then(|| snapshot.aged(now));
            let uptime = now.saturating_duration_since(started);
            health::write(page, aged.as_ref().unwrap_or(&snapshot), uptime, most);
        });
    }

    /// Everything as it is now.
    #[must_use]
    pub fn exposition(&self, format: Format) -> Vec<u8> {
        self.exposition_with(format, process::write_memory)
    }

    /// Everything, with what `write` adds to it: behind our own families and before those of the service, which give way
    /// where names clash.
    pub fn exposition_with(&self, format: Format, write: impl FnOnce(&mut Exposition)) -> Vec<u8> {
        let mut page = Exposition::new(format);
        self.0.refusals.catch_up();
        self.0.requests.write(&mut page);
        self.0.facts.write(&mut page, Instant::now());
        self.build_info(&mut page);
        process::write(&mut page);
        self.0.calls.write(&mut page);
        self.0.servers.write(&mut page);
        self.0.refusals.write(&mut page);
        write(&mut page);
        // Copied out, so that a collector may register a family.
        let collectors = lock(&self.0.collectors).clone();
        for collector in collectors {
            collector(&mut page);
        }
        let families: Vec<_> = lock(&self.0.families).values().map(|entered| entered.written.clone()).collect();
        self.series_dropped(&mut page, &families);
        for family in families {
            family.write(&mut page);
        }
        let last = lock(&self.0.last).clone();
        for collector in last {
            collector(&mut page);
        }
        page.finish()
    }

    /// Answers `/metrics`: in the format that `Accept` asks for, and the health of all checks as JSON for `application/json`. Answers
    /// `/breakers` as well, with the breakers that are [watched](Self::watch_breaker).
    #[must_use]
    pub fn scrape(&self) -> Scrape {
        let (metrics, watched) = (self.clone(), self.clone());
        let scrape = Scrape::new(move |accept| {
            let named =
                Accept::parse(accept).named(&["text/plain", "application/openmetrics-text", "application/json"]);
            if named == Some("application/json") {
                return ("application/json", metrics.summary().to_json().into());
            }
            let format = Format::accepted(accept);
            (format.media_type(), metrics.exposition(format).into())
        });
        scrape.with_breakers(move || watched.0.calls.breakers())
    }

    /// The health of all checks as a few numbers.
    #[must_use]
    pub fn summary(&self) -> health::Summary {
        let now = Instant::now();
        let snapshot = lock(&self.0.health).as_ref().map(Health::snapshot).unwrap_or_default();
        health::Summary::of(&snapshot.aged(now), now.saturating_duration_since(self.0.started))
    }

    fn build_info(&self, page: &mut Exposition) {
        let Inner { service, version, .. } = &*self.0;
        let version = version.get().map_or("", String::as_str);
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("service", service), ("service_version", version)];
        page.family("build_info", GaugeKind, "Always 1; the labels say what runs.").sample(&labels, 1_u64);
    }

    fn series_dropped(&self, page: &mut Exposition, families: &[Arc<dyn Written>]) {
        let help = "Observations beyond the limit of series, by family.";
        let mut family = page.family("seaworthy_series_dropped_total", CounterKind, help);
        family.sample(&[("family", "http_requests")], self.0.requests.beyond());
        for (name, beyond) in &*lock(&self.0.limits) {
            family.sample(&[("family", name)], beyond());
        }
        for (name, beyond) in families.iter().map(|family| (family.name(), family.beyond())) {
            if beyond > 0 {
                family.sample(&[("family", name)], beyond);
            }
        }
    }
}

impl Sink for Metrics {
    fn emit(&self, event: &Event) {
        self.0.facts.count(event, Instant::now());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("service", &self.0.service).finish_non_exhaustive()
    }
}

/// Makes [`Metrics`].
#[derive(Debug, Clone)]
#[must_use = "there are no metrics before `build`"]
pub struct Builder {
    service: String,
    version: OnceLock<String>,
    max_series: usize,
    started: Instant,
}

impl Builder {
    /// The version of the service, for `build_info`. By default that of the [`Production`](crate::Production) that shows them, else empty.
    pub fn version(mut self, version: &str) -> Self {
        self.version = OnceLock::from(version.to_owned());
        self
    }

    /// How many series a family has at most; [`MAX_SERIES`] by default.
    pub fn max_series(mut self, most: usize) -> Self {
        self.max_series = most;
        self
    }

    /// When the process began; now by default.
    pub fn started(mut self, started: Instant) -> Self {
        self.started = started;
        self
    }

    /// The metrics, with everything at zero.
    #[must_use]
    pub fn build(self) -> Metrics {
        let Self { service, version, max_series, started } = self;
        let requests = Requests::new(max_series);
        let observer = RequestObserver::new(&requests);
        let (facts, families, collectors, last, limits, health, calls) = Default::default();
        let (servers, refusals) = Default::default();
        Metrics(Arc::new(Inner {
            service,
            version,
            max_series,
            started,
            requests,
            observer,
            facts,
            families,
            collectors,
            last,
            limits,
            health,
            calls,
            servers,
            refusals,
        }))
    }
}

/// How many label sets a family has, of all threads.
#[derive(Debug)]
#[doc(hidden)]
pub struct Limit<K> {
    known: Mutex<SeriesLimit<K>>,
    /// Observations that found no series.
    beyond: AtomicU64,
}

impl<K: Clone + Eq + Hash> Limit<K> {
    /// At most so many, each of them for as long as the process lives.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { known: Mutex::new(SeriesLimit::new(most)), beyond: AtomicU64::new(0) }
    }

    /// Whether this label set may have a series; counts where it may not.
    pub fn admit(&self, key: &K) -> bool {
        let admitted = match self.known.try_lock() {
            Ok(mut known) => known.admit(key.clone()),
            // Beyond the limit every request comes by here, and none of them shall wait for another.
            Err(TryLockError::WouldBlock) if self.beyond() > 0 => false,
            Err(_) => lock(&self.known).admit(key.clone()),
        };
        if !admitted {
            self.beyond.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// How often it was refused.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond.load(Ordering::Relaxed)
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
