//! What a service tells others of itself: spans, reports for Sentry, the audit trail.
//!
//! Each is made when it is described, so that the service can be handed what it tells it by; it is started when somebody hears what
//! goes wrong with it, and ended as far as time allows.

use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::lifecycle::FLUSH;

use super::problem::Problem;
#[cfg(feature = "audit")]
use crate::audit::{self, Audit, Trail};
use crate::metrics::Metrics;
#[cfg(feature = "otlp")]
use crate::otlp::{self, Exporter, Tracer};
#[cfg(feature = "sentry")]
use crate::sentry::{self, Reporter, Sentry};
use crate::sink::Relay;
use crate::trace::TraceContextLayer;

/// All of it, as far as it is on.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    /// Hears what goes wrong with any of it, from before there is anybody else to hear it.
    pub(super) relay: Relay,
    /// What should be known of how it was described, and is no reason not to serve.
    pub(super) warnings: Vec<String>,
    #[cfg(feature = "otlp")]
    pub(super) spans: Option<otlp::Prepared>,
    #[cfg(feature = "otlp")]
    exporter: Option<Exporter>,
    #[cfg(feature = "sentry")]
    pub(super) reports: Option<sentry::Prepared>,
    #[cfg(feature = "sentry")]
    sentry: Option<Sentry>,
    #[cfg(feature = "audit")]
    pub(super) trail: Option<audit::Settings>,
    #[cfg(feature = "audit")]
    audit: Option<Audit>,
}

impl Telemetry {
    /// Opens what has to be open before anything is said. Done last, since it leaves traces.
    pub(super) fn open(&mut self) -> Vec<Problem> {
        let problems: &[Option<Problem>] = &[
            #[cfg(feature = "audit")]
            self.open_trail().err().map(|error| Problem::Audit(error.to_string())),
        ];
        problems.iter().flatten().cloned().collect()
    }

    #[cfg(feature = "audit")]
    fn open_trail(&mut self) -> Result<(), audit::OpenError> {
        let open = |settings| Audit::open(settings, Arc::new(self.relay.clone()));
        self.audit = self.trail.take().map(open).transpose()?;
        Ok(())
    }

    /// Gives each request a span, where spans are exported.
    pub(super) fn traced(&self, layer: TraceContextLayer) -> TraceContextLayer {
        #[cfg(feature = "otlp")]
        let layer = self.spans.as_ref().map_or(layer, |spans| layer.spans_else(spans.sampler()));
        layer
    }

    /// Shows in `metrics` what becomes of it.
    pub(super) fn show_in(&self, metrics: &Metrics) {
        #[cfg(feature = "otlp")]
        self.spans.iter().for_each(|spans| metrics.watch_spans(spans.counter()));
        #[cfg(feature = "sentry")]
        self.reports.iter().for_each(|reports| metrics.watch_reports(reports.reporter()));
        #[cfg(feature = "audit")]
        self.audit.iter().for_each(|audit| metrics.watch_audit(audit.trail()));
        // What is off shows nothing.
        let _ = metrics;
    }

    /// Those that want to hear of every fact.
    pub(super) fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let sinks: &[Option<Arc<dyn Sink>>] = &[
            #[cfg(feature = "audit")]
            self.audit.as_ref().map(|audit| Arc::new(audit.trail()) as _),
            #[cfg(feature = "sentry")]
            self.reports.as_ref().map(|reports| Arc::new(reports.reporter()) as _),
        ];
        sinks.iter().flatten().cloned().collect()
    }

    /// Begins to send, as tasks of this runtime; `sink` hears of what goes wrong.
    pub(super) fn start(&mut self, sink: &Arc<dyn Sink>) {
        self.relay.attach(sink);
        for text in self.warnings.drain(..) {
            sink.emit(&Event::Warning { text });
        }
        #[cfg(feature = "otlp")]
        {
            self.exporter = self.spans.take().map(|spans| spans.start(sink.clone()));
        }
        #[cfg(feature = "sentry")]
        {
            self.sentry = self.reports.take().map(|reports| reports.start(sink.clone()));
        }
    }

    /// Sends what there is, for `patience` at most. What comes afterwards is dropped, and counted.
    pub(super) async fn flush(&mut self, patience: Duration) {
        #[cfg(feature = "otlp")]
        let exporter = self.exporter.take();
        #[cfg(feature = "sentry")]
        let sentry = self.sentry.take();
        let spans = async {
            #[cfg(feature = "otlp")]
            if let Some(exporter) = exporter {
                exporter.close(patience).await;
            }
        };
        let reports = async {
            #[cfg(feature = "sentry")]
            if let Some(sentry) = sentry {
                sentry.close(patience).await;
            }
        };
        // Each of them keeps the time by itself; this one holds whatever else comes to stand here.
        let _ = tokio::time::timeout(patience + FLUSH, async { tokio::join!(spans, reports) }).await;
    }

    /// Closes the trail. Gives how much was lost of it: entries that the disk did not take in time are one loss.
    pub(super) async fn close(&mut self) -> u32 {
        #[cfg(feature = "audit")]
        if let Some(audit) = self.audit.take() {
            // On a thread that may wait for a disk.
            let closed = tokio::task::spawn_blocking(move || audit.close(FLUSH)).await;
            return u32::from(!closed.unwrap_or(false));
        }
        std::future::ready(0).await
    }

    #[cfg(feature = "otlp")]
    pub(super) fn tracer(&self) -> Option<Tracer> {
        self.spans.as_ref().map(otlp::Prepared::tracer)
    }

    #[cfg(feature = "sentry")]
    pub(super) fn reporter(&self) -> Option<Reporter> {
        self.reports.as_ref().map(sentry::Prepared::reporter)
    }

    #[cfg(feature = "audit")]
    pub(super) fn trail(&self) -> Option<Trail> {
        self.audit.as_ref().map(Audit::trail)
    }
}

/// A service that is dropped in the middle leaves no task and no thread behind.
impl Drop for Telemetry {
    fn drop(&mut self) {
        #[cfg(feature = "otlp")]
        self.exporter.iter().for_each(Exporter::stop);
        #[cfg(feature = "sentry")]
        self.sentry.iter().for_each(Sentry::stop);
        #[cfg(feature = "audit")]
        if let Some(audit) = self.audit.take() {
            audit.close(Duration::ZERO);
        }
    }
}
