//! Reports for Sentry: what somebody should look at, with the request that it happened in (feature `sentry`).
//!
//! # Rules
//!
//! - Reported are panics, refusals of 5xx that are ours (but not those of a start or a drain), deaths of the program, breakers
//!   that open, every shutdown — a forced one as an error — and checks that fail for long.
//! - One fingerprint is reported once a minute at most; the next report says how many were held back. Fingerprints are made of
//!   what a programmer wrote, so that no client can flood a project.
//! - Texts are redacted before they leave. A DSN holds a key and is shown without it.
//! - Whoever reports never waits: reports go into a bounded outbox, from which one task carries them. What does not fit is
//!   counted, and told to Sentry with the next one that does.
//! - What Sentry asks not to be sent for a while is not sent (`X-Sentry-Rate-Limits`, `Retry-After`).
//!
//! # Example
//!
//! ```
//! use seaworthy::Production;
//! use seaworthy::sentry::{Report, Settings};
//!
//! // Or `sentry_from_env`, for SENTRY_DSN and its like.
//! let settings = Settings::new("https://key@o1.ingest.sentry.io/42".parse()?, "orders").environment("staging");
//! let production = Production::builder("orders", "1.0.0").sentry(settings).build()?;
//!
//! let reporter = production.reporter().expect("reports are sent"); // for reports of your own
//! reporter.capture(Report::new("payment lost", "the provider charged twice"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without [`Production`](crate::Production) there is [`Sentry`]: its [`reporter`](Sentry::reporter) is a sink for facts and an observer
//! of requests, and [`close`](Sentry::close) sends what is left.

mod dsn;
mod envelope;
mod environment;
mod failing;
mod limits;
mod outbox;
mod report;
mod request;
mod send;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use seaworthy_core::event::{Event, RequestFinished, Sink};
use seaworthy_core::redact::Redactor;
use seaworthy_core::refusal::Reason;
use seaworthy_core::throttle::Throttle;
use serde_json::{Map, Value as Json};
use tokio::task::JoinHandle;

pub use self::dsn::{Dsn, DsnError};
pub use self::environment::Environment;
pub use self::report::{Report, Severity};

use self::envelope::{Common, Item};
use self::failing::Failing;
use self::limits::{Category, Limits};
use self::outbox::Outbox;
use self::send::Send;
use crate::access::Observer;
use crate::client::{BuildError, Resolver, Roots, Transport};

/// One fingerprint is reported no more often.
const PAUSE: Duration = Duration::from_mins(1);

/// So many fingerprints are told apart.
const FINGERPRINTS: usize = 256;

/// Where reports go, and what they say of us.
#[derive(Clone)]
pub struct Settings {
    dsn: Dsn,
    common: Common,
    traces_sample_rate: f64,
    check_failed_after: Duration,
    redactor: Redactor,
    query: bool,
    resolver: Resolver,
    roots: Roots,
}

impl Settings {
    /// Reports of the service `service`.
    pub fn new(dsn: Dsn, service: &str) -> Self {
        Self {
            dsn,
            common: Common { environment: "production".to_owned(), service: service.to_owned(), ..Common::default() },
            traces_sample_rate: 0.0,
            check_failed_after: Duration::from_mins(5),
            redactor: Redactor::default(),
            query: false,
            resolver: Resolver::system(),
            roots: Roots::public(),
        }
    }

    /// Default: `production`.
    #[must_use]
    pub fn environment(mut self, name: &str) -> Self {
        name.clone_into(&mut self.common.environment);
        self
    }

    /// What runs, as `orders@1.4.2`. Default: not said.
    #[must_use]
    pub fn release(mut self, release: impl Into<Option<String>>) -> Self {
        self.common.release = release.into();
        self
    }

    /// The machine. Default: not said.
    #[must_use]
    pub fn server(mut self, name: impl Into<Option<String>>) -> Self {
        self.common.server = name.into();
        self
    }

    /// As [`Settings::release`], where nobody else said it.
    pub(crate) fn release_else(mut self, release: Option<String>) -> Self {
        self.common.release = self.common.release.or(release);
        self
    }

    /// As [`Settings::server`], where nobody else said it.
    pub(crate) fn server_else(mut self, name: String) -> Self {
        self.common.server.get_or_insert(name);
        self
    }

    /// What part of all requests becomes a transaction, from 0 (default) to 1.
    #[must_use]
    pub fn traces_sample_rate(mut self, rate: f64) -> Self {
        self.traces_sample_rate = rate.clamp(0.0, 1.0);
        self
    }

    /// How long a check must fail before it is reported. Default: 5 min.
    #[must_use]
    pub fn check_failed_after(mut self, time: Duration) -> Self {
        self.check_failed_after = time;
        self
    }

    /// What is hidden, and whether queries are shown at all. Default: what is secret everywhere; no.
    #[must_use]
    pub fn show(mut self, redactor: Redactor, query: bool) -> Self {
        (self.redactor, self.query) = (redactor, query);
        self
    }

    /// Who knows the addresses of names. Default: the system.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Whose certificates are believed. Default: those that browsers believe.
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("dsn", &self.dsn).field("common", &self.common).finish_non_exhaustive()
    }
}

/// Carries reports, as a task of the runtime that it was started on.
#[derive(Debug)]
pub struct Sentry {
    reporter: Reporter,
    task: JoinHandle<()>,
}

impl Sentry {
    /// Starts to carry; what goes wrong is reported to `sink`. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if TLS cannot be set up.
    pub fn start(settings: Settings, sink: Arc<dyn Sink>) -> Result<Self, BuildError> {
        Ok(Prepared::new(settings)?.start(sink))
    }

    /// Takes nothing more, and sends what is there for as long as the runtime turns.
    pub(crate) fn stop(&self) {
        self.reporter.shared.outbox.close();
    }

    /// For whoever has something to report.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// Sends what is there, for `patience` at most. What comes afterwards is dropped.
    pub async fn close(mut self, patience: Duration) {
        self.reporter.shared.outbox.close();
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

/// A [`Sentry`] that carries nothing yet: reports can be made already, and wait. Needs no runtime.
#[derive(Debug)]
pub(crate) struct Prepared {
    settings: Settings,
    transport: Transport<Full<Bytes>>,
    reporter: Reporter,
}

impl Prepared {
    pub(crate) fn new(settings: Settings) -> Result<Self, BuildError> {
        let transport = Transport::builder()
            .resolver(settings.resolver.clone())
            .roots(settings.roots.clone())
            .idle_per_host(1)
            .build()?;
        let shared = Shared {
            outbox: Outbox::default(),
            failing: Failing::new(settings.check_failed_after),
            throttle: Mutex::new(Throttle::new(PAUSE, FINGERPRINTS)),
            refusals: std::array::from_fn(|_| AtomicU64::new(0)),
            started: Instant::now(),
            common: settings.common.clone(),
            shown: Mutex::new((settings.redactor.clone(), settings.query)),
            traces_sample_rate: settings.traces_sample_rate,
        };
        Ok(Self { settings, transport, reporter: Reporter { shared: Arc::new(shared) } })
    }

    pub(crate) fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    pub(crate) fn start(self, sink: Arc<dyn Sink>) -> Sentry {
        let Self { settings, transport, reporter } = self;
        let limits = Limits::default();
        let send = Send { settings, transport, reporter: reporter.clone(), sink, limits, outage: None };
        Sentry { reporter, task: tokio::spawn(send.run()) }
    }
}

/// Takes what is to be reported: reports of your own, facts as a [`Sink`], and requests as an [`Observer`]. Clones report to
/// the same project, and share the pauses between reports.
#[derive(Debug, Clone)]
pub struct Reporter {
    shared: Arc<Shared>,
}

/// More reasons than there are. The last stands for all that come beyond.
const REASONS: usize = 64;

#[derive(Debug)]
struct Shared {
    outbox: Outbox,
    failing: Failing,
    throttle: Mutex<Throttle>,
    /// For each reason of a refusal, when it may be reported again, in seconds since the start: the storm that a dead
    /// upstream makes costs a request one look.
    refusals: [AtomicU64; REASONS],
    started: Instant,
    common: Common,
    /// What is hidden, and whether queries are shown.
    shown: Mutex<(Redactor, bool)>,
    traces_sample_rate: f64,
}

/// How many reports had which end. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReportCounts {
    /// Sentry has them.
    pub sent: u64,
    /// There was no room, or Sentry wanted none or was not there.
    pub lost: u64,
}

impl Reporter {
    /// Reports, unless the same fingerprint was reported a moment ago.
    pub fn capture(&self, report: Report) {
        self.capture_with(report, |_, _, _| {});
    }

    /// Hides other things from the next report on, and shows queries or not.
    pub fn show(&self, redactor: Redactor, query: bool) {
        *self.shared.shown.lock().unwrap_or_else(PoisonError::into_inner) = (redactor, query);
    }

    /// What became of reports.
    pub fn counts(&self) -> ReportCounts {
        let outbox = &self.shared.outbox;
        ReportCounts { sent: outbox.sent.load(Ordering::Relaxed), lost: outbox.lost.load(Ordering::Relaxed) }
    }

    fn capture_with(&self, mut report: Report, add: impl FnOnce(&mut Map<String, Json>, &Redactor, bool)) {
        let fingerprint = report.fingerprint.join("\u{1f}");
        let admitted = {
            let mut throttle = self.shared.throttle.lock().unwrap_or_else(PoisonError::into_inner);
            throttle.admit(&fingerprint, Instant::now())
        };
        let Some(held_back) = admitted else { return };
        if held_back > 0 {
            report = report.extra("held_back", held_back);
        }
        // Reports are rare, so that nobody waits for this one.
        let (redactor, query) = self.shared.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut fields = report.fields(&redactor);
        add(&mut fields, &redactor, query);
        self.push(Category::Error, fields);
    }

    fn push(&self, category: Category, fields: Map<String, Json>) {
        if let Some(item) = Item::new(category, fields, &self.shared.common, SystemTime::now()) {
            self.shared.outbox.push(item);
        }
    }

    fn refused(&self, request: &RequestFinished<'_>, reason: Reason) {
        let place = Reason::ALL.iter().position(|known| *known == reason).unwrap_or(REASONS).min(REASONS - 1);
        let next = &self.shared.refusals[place];
        let now = self.shared.started.elapsed().as_secs();
        let due = next.load(Ordering::Relaxed);
        // One of those that see the end of the pause at the same time goes on.
        let again = now.saturating_add(PAUSE.as_secs()).max(1);
        if now < due || next.compare_exchange(due, again, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        self.capture_with(request::report(request, reason), |fields, redactor, query| {
            request::context(fields, request, redactor, query);
        });
    }
}

impl Sink for Reporter {
    fn emit(&self, event: &Event) {
        if self.shared.failing.follow(event, Instant::now()) {
            self.shared.outbox.changed.notify_one();
        }
        if let Some(report) = Report::of(event) {
            self.capture(report);
        }
    }
}

impl Observer for Reporter {
    fn finished(&self, request: &RequestFinished<'_>) {
        if let Some(reason) = request::is_fault(request) {
            self.refused(request, reason);
        }
        let rate = self.shared.traces_sample_rate;
        if rate > 0.0 && !request.quiet && fastrand::f64() < rate && self.shared.outbox.has_room() {
            self.push(Category::Transaction, request::transaction(request, request.ended));
        }
    }
}
