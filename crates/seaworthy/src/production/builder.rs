//! How a service is described.

#[cfg(any(feature = "audit", feature = "otlp", feature = "sentry"))]
mod telemetry;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use seaworthy_core::address::Trusted;
use seaworthy_core::event::{Event, Sink};

use super::Production;
use super::admin::Place;
use super::drain::{Drain, Fitting};
use super::panics::OnPanic;
use super::problem::{BuildError, Problem};
use super::telemetry::Telemetry;
use crate::access::Observer;
use crate::alert;
use crate::cors::{self, CorsLayer};
use crate::health::Health;
use crate::limit::rate::{Rate, RateLimit};
use crate::log::{LogObserver, Logger};
use crate::metrics::{Metrics, RequestObserver};
use crate::phase::Phase;
use crate::probes::Scrape;
use crate::security::Security;
use crate::server::ConnectionLimits;
use crate::shutdown::{Hook, HookResult};
use crate::sink;
use crate::stack;

/// Describes a service; made by [`Production::builder`]. Everything has a safe default.
#[must_use = "nothing is served before `build` and `serve`"]
pub struct Builder<O = ()> {
    parts: Parts,
    drain: Drain,
    /// The request timeout, where it was stated.
    timeout: Option<Duration>,
    observer: O,
}

/// What a service is made of, but for who observes it.
pub(super) struct Parts {
    pub(super) service: String,
    pub(super) version: String,
    pub(super) health: Health,
    pub(super) stack: stack::Settings,
    pub(super) connections: ConnectionLimits,
    pub(super) drain: Option<Fitting>,
    pub(super) hooks: Vec<Hook>,
    pub(super) phases: BTreeMap<Phase, Duration>,
    pub(super) sinks: Vec<Arc<dyn Sink>>,
    pub(super) admin: Option<Place>,
    pub(super) scrape: Option<Scrape>,
    pub(super) on_panic: OnPanic,
    pub(super) rate: Option<RateLimit>,
    pub(super) alerts: Vec<alert::Setup>,
    pub(super) metrics: Option<Metrics>,
    pub(super) logger: Option<Logger>,
    pub(super) telemetry: Telemetry,
    /// What was found to be wrong while it was being described.
    pub(super) problems: Vec<Problem>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("service", &self.service).field("version", &self.version).finish_non_exhaustive()
    }
}

impl<O> fmt::Debug for Builder<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("parts", &self.parts).field("drain", &self.drain).finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(service: String, version: String) -> Self {
        let parts = Parts {
            service,
            version,
            health: Health::default(),
            stack: stack::Settings::default(),
            connections: ConnectionLimits::default(),
            drain: None,
            hooks: Vec::new(),
            phases: BTreeMap::new(),
            sinks: Vec::new(),
            admin: None,
            scrape: None,
            on_panic: OnPanic::default(),
            rate: None,
            alerts: Vec::new(),
            metrics: None,
            logger: None,
            telemetry: Telemetry::default(),
            problems: Vec::new(),
        };
        Self { parts, drain: Drain::default(), timeout: None, observer: () }
    }
}

impl<O> Builder<O> {
    /// What the service depends on. Default: nothing, so that it is ready when it serves.
    pub fn health(mut self, health: Health) -> Self {
        self.parts.health = health;
        self
    }

    /// Which security headers its answers get. Default: `nosniff` and a referrer policy, which break nothing.
    pub fn security(mut self, security: Security) -> Self {
        self.parts.stack.headers = security.preset();
        self
    }

    /// Which pages of other origins may read its answers, those of refusals included; see [`cors`](crate::cors). Default: none.
    ///
    /// ```
    /// use seaworthy::{Production, cors::Policy};
    ///
    /// let sharing = Policy::new(["https://app.example.com", "https://*.preview.example.com"])?.credentials(true)?;
    /// Production::builder("orders", "1.0.0").cors(&sharing);
    /// # Ok::<(), seaworthy::cors::CorsError>(())
    /// ```
    pub fn cors(mut self, policy: &cors::Policy) -> Self {
        self.parts.stack.cors = CorsLayer::new(policy);
        self
    }

    /// The networks of the proxies in front of the service, whose `X-Forwarded-For` and `Forwarded` are believed. Default: none.
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.parts.stack.trusted = Trusted::new(networks);
        self
    }

    /// How many requests a client may make, by its address; more are answered 429. Probes and `/metrics` are exempt. Default: any number.
    ///
    /// ```
    /// use seaworthy::Production;
    /// use seaworthy::limit::rate::RateLimit;
    ///
    /// Production::builder("orders", "1.0.0").rate_limit("100/min".parse()?);
    /// let limit = RateLimit::new("10/s".parse()?).burst(20)?.exempt("/internal/*");
    /// Production::builder("orders", "1.0.0").rate_limit_with(limit);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rate_limit(self, rate: Rate) -> Self {
        self.rate_limit_with(RateLimit::new(rate))
    }

    /// The same, with settings of its own.
    pub fn rate_limit_with(mut self, limit: RateLimit) -> Self {
        self.parts.rate = Some(limit);
        self
    }

    /// Most bytes of a request body; more is answered 413. Default: 100 MiB.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.parts.stack.body = bytes;
        self
    }

    /// Longest time from the head of a request to the head of its answer; then it is answered 504. Streams may last longer.
    /// Default: 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.parts.stack.time = timeout;
        self.timeout = Some(timeout);
        self
    }

    /// Limits on connections. Default: those of [`ConnectionLimits`].
    pub fn connections(mut self, limits: ConnectionLimits) -> Self {
        self.parts.connections = limits;
        self
    }

    /// Changes any setting of the layers, for what has no method here: ids, traces, holding requests.
    ///
    /// ```
    /// use seaworthy::Production;
    /// use seaworthy::trace::TraceContextLayer;
    ///
    /// Production::builder("orders", "1.0.0").layers(|layers| layers.trace = TraceContextLayer::default().begin(true));
    /// ```
    pub fn layers(mut self, change: impl FnOnce(&mut stack::Settings)) -> Self {
        change(&mut self.parts.stack);
        self
    }

    /// How the time of a shutdown is divided. Default: worked out from where the service runs; see [`Drain`].
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// Runs `hook` in this phase of the shutdown. Hooks of one phase run at the same time; one that fails, panics or is late is
    /// reported, and the rest goes on.
    #[track_caller]
    pub fn on_shutdown<F, W>(mut self, phase: Phase, hook: F) -> Self
    where
        F: FnOnce() -> W + Send + 'static,
        W: Future<Output = HookResult> + Send + 'static,
    {
        self.parts.hooks.push(Hook::new(phase, Location::caller(), hook));
        self
    }

    /// How long a phase may take. Default: what is left of the grace, less a second.
    pub fn phase_timeout(mut self, phase: Phase, timeout: Duration) -> Self {
        self.parts.phases.insert(phase, timeout);
        self
    }

    /// What follows a panic. Default: only its request is lost.
    pub fn on_panic(mut self, policy: OnPanic) -> Self {
        self.parts.on_panic = policy;
        self
    }

    /// Answers probes and metrics on this address, on a thread of their own. Default: nowhere; mount
    /// [`Endpoints`](crate::probes::Endpoints) in the service then.
    pub fn admin(mut self, address: SocketAddr) -> Self {
        self.parts.admin = Some(Place::At(address));
        self
    }

    /// The same, on a socket that is bound already.
    pub fn admin_listener(mut self, listener: TcpListener) -> Self {
        self.parts.admin = Some(Place::On(listener));
        self
    }

    /// Answers `/metrics` where probes are answered.
    pub fn scrape(mut self, scrape: Scrape) -> Self {
        self.parts.scrape = Some(scrape);
        self
    }

    /// Gives every fact to one more consumer: a log, metrics, an audit trail.
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.parts.sinks.push(sink);
        self
    }

    /// Calls `function` with every fact. It must return at once.
    pub fn on_event(self, function: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.sink(Arc::new(sink::from_fn(function)))
    }

    /// Counts requests, connections and facts, and answers `/metrics` where probes are answered. What checks find is shown too, whom the rate
    /// limit refuses, and how many lines of the log were lost.
    ///
    /// ```
    /// use seaworthy::{Production, metrics::Metrics};
    ///
    /// Production::builder("orders", "1.0.0").metrics(Metrics::new("orders"));
    /// ```
    pub fn metrics(mut self, metrics: Metrics) -> Builder<(O, RequestObserver)> {
        let observer = metrics.observer();
        metrics.serve_version(&self.parts.version);
        self.parts.scrape = Some(metrics.scrape());
        self.parts.sinks.push(Arc::new(metrics.clone()));
        self.parts.metrics = Some(metrics);
        self.observer(observer)
    }

    /// Writes a line for each request and each fact, and flushes it last of all.
    ///
    /// ```
    /// use seaworthy::{Production, log::Logger};
    ///
    /// let logger = Logger::builder("orders").version("1.0.0").start()?;
    /// Production::builder("orders", "1.0.0").log(logger);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn log(mut self, logger: Logger) -> Builder<(O, Option<LogObserver>)> {
        let observer = match logger.observer() {
            Ok(observer) => Some(observer),
            Err(error) => {
                self.parts.problems.push(Problem::Log(error.to_string()));
                None
            }
        };
        self.parts.sinks.push(Arc::new(logger.clone()));
        self.parts.logger = Some(logger);
        self.observer(observer)
    }

    /// Calls `hook` with every fact that somebody should mend (level warn and above), on a thread of its own: one that hangs or
    /// panics hurts nobody; see [`alert`].
    pub fn alert_hook<F, W>(self, hook: F) -> Self
    where
        F: Fn(Event) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        self.alert_hook_for(alert::Setup::matters, hook)
    }

    /// The same, with the facts that `filter` picks. The filter must return at once.
    pub fn alert_hook_for<F, W>(mut self, filter: impl Fn(&Event) -> bool + Send + Sync + 'static, hook: F) -> Self
    where
        F: Fn(Event) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        self.parts.alerts.push(alert::Setup::new(filter, hook));
        self
    }

    /// Tells one more observer of each request.
    pub fn observer<P: Observer>(self, observer: P) -> Builder<(O, P)> {
        let Self { parts, drain, timeout, observer: before } = self;
        Builder { parts, drain, timeout, observer: (before, observer) }
    }

    /// The service, if it makes sense.
    ///
    /// # Errors
    ///
    /// [`BuildError`] with *all* settings that make none: names of checks that stand twice, times that do not fit into each other.
    pub fn build(mut self) -> Result<Production<O>, BuildError> {
        let mut problems = std::mem::take(&mut self.parts.problems);
        if self.parts.service.trim().is_empty() {
            problems.push(Problem::Unnamed);
        }
        problems.extend(self.parts.health.problems().into_iter().map(Problem::Check));
        match self.drain.fit() {
            Ok(fitting) => {
                problems.extend(self.misfits(&fitting));
                self.parts.drain = Some(fitting);
            }
            Err(misfits) => problems.extend(misfits),
        }
        self.parts.stack.reject = self.drain.rejects();
        let limits = &self.parts.connections;
        if limits.connections == 0 {
            problems.push(Problem::NoConnections);
        }
        if limits.body_min_rate == Some(0) {
            problems.push(Problem::NoRate);
        }
        let times = [
            ("the request timeout", self.parts.stack.time),
            ("the head timeout", limits.head_timeout),
            ("the idle timeout", limits.idle_timeout),
            ("the send timeout", limits.send_timeout),
            ("the body grace", limits.body_grace),
        ];
        let none = times.into_iter().filter(|(_, time)| time.is_zero());
        problems.extend(none.map(|(what, _)| Problem::NoTime { what }));
        BuildError::of(problems)?;
        BuildError::of(self.parts.telemetry.open())?;
        self.parts.stack.trace = self.parts.telemetry.traced(self.parts.stack.trace);
        if let Some(metrics) = &self.parts.metrics {
            metrics.watch_health(self.parts.health.clone());
            self.parts.telemetry.show_in(metrics);
            if let Some(logger) = &self.parts.logger {
                metrics.watch_log(logger.clone());
            }
        }
        Ok(Production { parts: self.parts, observer: self.observer })
    }

    /// Times that do not fit into the drain.
    fn misfits(&self, drain: &Fitting) -> Vec<Problem> {
        let mut problems = Vec::new();
        let reserve = drain.budget.reserve();
        let too_long = self.parts.phases.iter().filter(|(_, patience)| **patience > reserve);
        problems.extend(too_long.map(|(phase, patience)| Problem::PhaseOutlastsReserve {
            phase: *phase,
            patience: *patience,
            reserve,
        }));
        let sum = self.parts.phases.values().fold(Duration::ZERO, |sum, patience| sum.saturating_add(*patience));
        if problems.is_empty() && sum > reserve {
            problems.push(Problem::PhasesOutlastReserve { sum, reserve });
        }
        // The defaults of both are meant for different days; who states both means both.
        if let (Some(timeout), Some(drain)) = (self.timeout, self.drain.stated_timeout())
            && timeout > drain
        {
            problems.push(Problem::RequestOutlastsDrain { timeout, drain });
        }
        problems
    }
}
