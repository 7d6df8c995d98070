//! What others are told of a service: spans, reports for Sentry, the audit trail.

#[cfg(feature = "audit")]
use std::path::Path;

use super::{Builder, Problem};
#[cfg(feature = "audit")]
use crate::audit;
#[cfg(feature = "otlp")]
use crate::otlp;
#[cfg(feature = "sentry")]
use crate::sentry;

#[cfg(feature = "otlp")]
impl<O> Builder<O> {
    /// Exports spans of requests, and of whatever the service makes by [`Production::tracer`](super::super::Production::tracer): to any
    /// collector that speaks OTLP. Version, host and process stand beside the name of the service, unless the settings say otherwise.
    /// Default: none; a valid `traceparent` passes as it came.
    ///
    /// ```
    /// use seaworthy::Production;
    /// use seaworthy::otlp::{Protocol, Settings};
    ///
    /// let settings = Settings::new("http://127.0.0.1:4317", Protocol::Grpc, "orders")?.resource("service.namespace", "shop");
    /// let production = Production::builder("orders", "1.0.0").otlp(settings).build()?;
    /// assert!(production.tracer().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn otlp(self, settings: otlp::Settings) -> Builder<(O, Option<otlp::Spans>)> {
        self.spans_to(Some(settings))
    }

    /// The same as the variables `OTEL_*` say, in which the whole fleet may have them set; see [`otlp::Environment`] for which. Off where
    /// they name no endpoint. One that cannot be read is warned about and passed over; an endpoint, a header or a file of authorities
    /// that cannot be used is an error of [`build`](Builder::build).
    ///
    /// ```no_run
    /// use seaworthy::Production;
    ///
    /// // OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318
    /// Production::builder("orders", "1.0.0").otlp_from_env();
    /// ```
    pub fn otlp_from_env(self) -> Builder<(O, Option<otlp::Spans>)> {
        self.otlp_from(&otlp::Environment::read(|name| std::env::var(name).ok()))
    }

    pub(in crate::production) fn otlp_from(
        mut self,
        environment: &otlp::Environment,
    ) -> Builder<(O, Option<otlp::Spans>)> {
        self.parts.telemetry.warnings.extend(environment.misread.iter().map(ToString::to_string));
        let settings = match environment.settings(&self.parts.service) {
            Ok(settings) => settings,
            Err(error) => {
                self.parts.problems.push(Problem::Spans(error.to_string()));
                None
            }
        };
        let settings = match (settings, environment.roots()) {
            (Some(settings), Some(Ok(roots))) => Some(settings.roots(roots)),
            (Some(_), Some(Err(error))) => {
                self.parts.problems.push(Problem::Spans(error));
                None
            }
            (settings, _) => settings,
        };
        self.spans_to(settings)
    }

    fn spans_to(mut self, settings: Option<otlp::Settings>) -> Builder<(O, Option<otlp::Spans>)> {
        if self.parts.telemetry.spans.is_some() && settings.is_some() {
            self.parts.problems.push(Problem::Twice { what: "otlp" });
        }
        let settings = settings.map(|mut settings| {
            if !self.parts.version.is_empty() {
                settings = settings.resource_else("service.version", &self.parts.version);
            }
            settings.resource_else("host.name", &host()).resource_else("process.pid", &std::process::id().to_string())
        });
        let spans = match settings.map(otlp::Prepared::new).transpose() {
            Ok(prepared) => {
                let spans = prepared.as_ref().map(otlp::Prepared::spans);
                self.parts.telemetry.spans = prepared.or(self.parts.telemetry.spans.take());
                spans
            }
            Err(error) => {
                self.parts.problems.push(Problem::Spans(error.to_string()));
                None
            }
        };
        self.observer(spans)
    }
}

#[cfg(feature = "sentry")]
impl<O> Builder<O> {
    /// Reports to Sentry what somebody should look at: see [`sentry`] for what that is. Reports of the service's own go by
    /// [`Production::reporter`](super::super::Production::reporter). The release is `service@version` and the server's name that of the
    /// machine, unless the settings say otherwise. Default: nothing is reported.
    ///
    /// ```
    /// use seaworthy::{Production, sentry::Settings};
    ///
    /// let settings = Settings::new("https://key@o1.ingest.sentry.io/42".parse()?, "orders");
    /// let production = Production::builder("orders", "1.0.0").sentry(settings).build()?;
    /// assert!(production.reporter().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sentry(self, settings: sentry::Settings) -> Builder<(O, Option<sentry::Reporter>)> {
        self.reports_to(Some(settings))
    }

    /// The same as the variables `SENTRY_*` say; see [`sentry::Environment`] for which. Off without `SENTRY_DSN`; one that is no DSN is
    /// an error of [`build`](Builder::build), which does not show it.
    ///
    /// ```no_run
    /// use seaworthy::Production;
    ///
    /// // SENTRY_DSN=https://KEY@o1.ingest.sentry.io/42
    /// Production::builder("orders", "1.0.0").sentry_from_env();
    /// ```
    pub fn sentry_from_env(self) -> Builder<(O, Option<sentry::Reporter>)> {
        self.sentry_from(&sentry::Environment::read(|name| std::env::var(name).ok()))
    }

    pub(in crate::production) fn sentry_from(
        mut self,
        environment: &sentry::Environment,
    ) -> Builder<(O, Option<sentry::Reporter>)> {
        let misread = environment.misread.iter();
        self.parts.telemetry.warnings.extend(misread.map(|(name, what)| format!("{name} {what}; it is passed over")));
        let settings = environment.settings(&self.parts.service).unwrap_or_else(|error| {
            self.parts.problems.push(Problem::Sentry(format!("SENTRY_DSN is no DSN: {error}")));
            None
        });
        self.reports_to(settings)
    }

    fn reports_to(mut self, settings: Option<sentry::Settings>) -> Builder<(O, Option<sentry::Reporter>)> {
        if self.parts.telemetry.reports.is_some() && settings.is_some() {
            self.parts.problems.push(Problem::Twice { what: "sentry" });
        }
        let (service, version) = (&self.parts.service, &self.parts.version);
        let release = (!version.is_empty()).then(|| format!("{service}@{version}"));
        let settings = settings.map(|settings| settings.release_else(release).server_else(host()));
        let reporter = match settings.map(sentry::Prepared::new).transpose() {
            Ok(prepared) => {
                let reporter = prepared.as_ref().map(sentry::Prepared::reporter);
                self.parts.telemetry.reports = prepared.or(self.parts.telemetry.reports.take());
                reporter
            }
            Err(error) => {
                self.parts.problems.push(Problem::Sentry(error.to_string()));
                None
            }
        };
        self.observer(reporter)
    }
}

#[cfg(feature = "audit")]
impl<O> Builder<O> {
    /// Keeps an audit trail in the file `path`: how the service stopped, what that cost, breakers that somebody reset, and whatever the
    /// service records by [`Production::trail`](super::super::Production::trail). [`build`](Builder::build) opens it, once all else makes
    /// sense. Default: none is kept.
    ///
    /// ```
    /// use seaworthy::{Production, audit::Entry};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("audit.jsonl");
    /// let production = Production::builder("orders", "1.0.0").audit(&path).build()?;
    /// let trail = production.trail().expect("a trail is kept");
    /// trail.record(Entry::new("orders_exported", "all orders were exported").by("user 7"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn audit(self, path: impl AsRef<Path>) -> Self {
        let settings = audit::Settings::new(path.as_ref(), &self.parts.service);
        self.audit_with(settings)
    }

    /// The same, with settings of its own: a key that seals it.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use seaworthy::Production;
    /// use seaworthy::audit::{Seal, Settings};
    ///
    /// # let key = [0; 32];
    /// let settings = Settings::new(Path::new("/var/lib/orders/audit.jsonl"), "orders").seal(Seal::keyed(&key));
    /// Production::builder("orders", "1.0.0").audit_with(settings);
    /// ```
    pub fn audit_with(mut self, settings: audit::Settings) -> Self {
        if self.parts.telemetry.trail.replace(settings).is_some() {
            self.parts.problems.push(Problem::Twice { what: "audit" });
        }
        self
    }
}

/// The machine that this runs on.
#[cfg(any(feature = "otlp", feature = "sentry"))]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
