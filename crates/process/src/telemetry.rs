//! What we tell others of ourselves: spans by OTLP, reports for Sentry, and the audit trail.
//!
//! # Rules
//!
//! - None of it is on unless it is configured, and what is off costs a request one look.
//! - A worker writes its spans into a buffer of its own; tasks of the ops thread carry them away.
//! - Whoever is told may be slow, away or full: that is reported and counted, and holds nobody up.

use std::sync::Arc;
use std::time::Duration;

use seaworthy::audit::{self, Audit, Seal};
use seaworthy::client::{BuildError, Resolver, Roots, RootsError};
use seaworthy::core::event::Sink;
use seaworthy::core::redact::Redactor;
use seaworthy::otlp::{Exporter, SettingsError, Shown, SpanCounter, Tracer};
use seaworthy::sentry::{Reporter, Sentry};

use seaworthy_gateway::{CurrentlyShown, WorkerTelemetry};

use crate::config::{self, Config};
use crate::names::{NameError, Names};

/// Everything that is told, as far as it is on.
#[derive(Debug)]
pub(crate) struct Telemetry {
    spans: Option<Exporter>,
    sentry: Option<Sentry>,
    audit: Option<Audit>,
    shown: CurrentlyShown,
}

/// Why we cannot tell anybody anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    #[error(transparent)]
    Names(#[from] NameError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Client(#[from] BuildError),
}

fn shown(log: &config::Log) -> Shown {
    Shown { query: log.query, redactor: Redactor::new(&log.redact) }
}

/// Reads what became of what was told, for the metrics.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    pub(crate) spans: Option<SpanCounter>,
    pub(crate) reports: Option<Reporter>,
    pub(crate) audit: Option<audit::Trail>,
}

impl Telemetry {
    /// Starts what is configured, on the runtime of this thread; `sink` hears of what goes wrong with it.
    pub(crate) fn start(config: &Config, sink: &Arc<dyn Sink>) -> Result<Self, TelemetryError> {
        let shown = shown(&config.log);
        // First, so that whatever follows is in it.
        let audit = config.audit.as_ref().map(|audit| open(audit, config, &shown, sink)).transpose()?;
        let resolver = || -> Result<Resolver, NameError> {
            let names = Names::of_machine()?;
            Ok(Resolver::new(move |name| {
                let names = names.clone();
                async move { names.lookup(&name).await.map(|found| found.addresses) }
            }))
        };
        let spans = match &config.trace.export {
            None => None,
            Some(export) => {
                let settings = spans(export, config)?
                    .resolver(resolver()?)
                    .roots(roots(export.authorities.as_deref())?)
                    .show(shown.clone());
                Some(Exporter::start(settings, sink.clone())?)
            }
        };
        let sentry = match &config.sentry {
            None => None,
            Some(sentry) => {
                let settings = seaworthy::sentry::Settings::new(sentry.dsn.clone(), &config.service)
                    .environment(&sentry.environment)
                    .release(sentry.release.clone())
                    .server(Some(host()))
                    .traces_sample_rate(sentry.traces_sample_rate)
                    .check_failed_after(sentry.check_failed_after)
                    .show(shown.redactor.clone(), shown.query)
                    .resolver(resolver()?)
                    .roots(roots(sentry.authorities.as_deref())?);
                Some(Sentry::start(settings, sink.clone())?)
            }
        };
        Ok(Self { spans, sentry, audit, shown: CurrentlyShown::new(shown) })
    }

    /// Those that want to hear of every fact.
    pub(crate) fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let sentry = self.sentry.iter().map(|sentry| Arc::new(sentry.reporter()) as Arc<dyn Sink>);
        let audit = self.audit.iter().map(|audit| Arc::new(audit.trail()) as Arc<dyn Sink>);
        sentry.chain(audit).collect()
    }

    /// The part of one worker; `None` where a request has nobody to be told to.
    pub(crate) fn worker(&self) -> Option<WorkerTelemetry> {
        let spans = self.spans.as_ref().map(Exporter::buffer);
        let sentry = self.sentry.as_ref().map(Sentry::reporter);
        (spans.is_some() || sentry.is_some()).then(|| WorkerTelemetry::new(spans, sentry, self.shown.clone()))
    }

    /// For calls to others; `None` where no spans are exported.
    pub(crate) fn tracer(&self) -> Option<Tracer> {
        self.spans.as_ref().map(Exporter::tracer)
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            spans: self.spans.as_ref().map(Exporter::counter),
            reports: self.sentry.as_ref().map(Sentry::reporter),
            audit: self.audit.as_ref().map(Audit::trail),
        }
    }

    /// Puts what a reload may change in force; workers follow when they are told to.
    pub(crate) fn configure(&self, log: &config::Log) {
        let shown = shown(log);
        if let Some(sentry) = &self.sentry {
            sentry.reporter().show(shown.redactor.clone(), shown.query);
        }
        if let Some(audit) = &self.audit {
            audit.trail().redact(shown.redactor.clone());
        }
        self.shown.set(shown);
    }

    /// Tells what is left to tell, for `patience` at most.
    pub(crate) async fn close(self, patience: Duration) {
        let Self { spans, sentry, audit, shown: _ } = self;
        let spans = async {
            if let Some(spans) = spans {
                spans.close(patience).await;
            }
        };
        let sentry = async {
            if let Some(sentry) = sentry {
                sentry.close(patience).await;
            }
        };
        tokio::join!(spans, sentry);
        if let Some(audit) = audit {
            // It waits for a disk, and nothing else is left to be done meanwhile.
            audit.close(patience);
        }
    }
}

fn open(
    config: &config::Audit,
    whole: &Config,
    shown: &Shown,
    sink: &Arc<dyn Sink>,
) -> Result<Audit, audit::OpenError> {
    let seal = config.key.as_ref().map_or_else(Seal::plain, |key| Seal::keyed(key.expose().as_bytes()));
    let settings = audit::Settings::new(&config.path, &whole.service).seal(seal).redactor(shown.redactor.clone());
    Audit::open(settings, sink.clone())
}

fn spans(export: &config::Export, config: &Config) -> Result<seaworthy::otlp::Settings, SettingsError> {
    let mut settings = seaworthy::otlp::Settings::new(&export.endpoint, export.protocol, &config.service)?
        .timeout(export.timeout)
        .sampler(config.trace.sampler)
        .on_error(export.on_error)
        .batches(export.queue, export.batch, export.delay)
        .resource("deployment.environment.name", &config.environment.to_string())
        .resource("host.name", &host())
        .resource("process.pid", &std::process::id().to_string());
    if let Some(version) = &config.version {
        settings = settings.resource("service.version", version);
    }
    for (key, value) in &export.resource {
        settings = settings.resource(key, value);
    }
    for (name, value) in &export.headers {
        settings = settings.header(name, value.expose())?;
    }
    Ok(settings)
}

fn roots(authorities: Option<&str>) -> Result<Roots, RootsError> {
    match authorities {
        Some(pem) => Roots::public().and_pem(pem.as_bytes()),
        None => Ok(Roots::public()),
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
