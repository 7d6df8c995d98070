//! What became of what was told to others: spans, reports, entries of the audit trail. Only what is on has families.

use super::Metrics;
#[cfg(feature = "audit")]
use crate::audit::Trail;
#[cfg(feature = "otlp")]
use crate::otlp::SpanCounter;
#[cfg(feature = "sentry")]
use crate::sentry::Reporter;
use seaworthy_core::metric::Kind;

impl Metrics {
    /// Shows what became of spans.
    #[cfg(feature = "otlp")]
    pub fn watch_spans(&self, counter: SpanCounter) {
        self.collect(move |page| {
            let counts = counter.read();
            page.family("seaworthy_spans_total", Kind::Counter, "Spans for the collector, by what became of them.")
                .sample(&[("outcome", "exported")], counts.exported)
                .sample(&[("outcome", "dropped")], counts.dropped)
                .sample(&[("outcome", "failed")], counts.failed);
        });
    }

    /// Shows what became of reports.
    #[cfg(feature = "sentry")]
    pub fn watch_reports(&self, reporter: Reporter) {
        self.collect(move |page| {
            let counts = reporter.counts();
            page.family("seaworthy_reports_total", Kind::Counter, "Reports for Sentry, by what became of them.")
                .sample(&[("outcome", "sent")], counts.sent)
                .sample(&[("outcome", "lost")], counts.lost);
        });
    }

    /// Shows what became of entries of the audit trail.
    #[cfg(feature = "audit")]
    pub fn watch_audit(&self, trail: Trail) {
        self.collect(move |page| {
            let counts = trail.counts();
            let help = "Entries of the audit trail, by what became of them.";
            page.family("seaworthy_audit_entries_total", Kind::Counter, help)
                .sample(&[("outcome", "written")], counts.written)
                .sample(&[("outcome", "lost")], counts.lost);
            let help = "Entries that the disk does not take; 0 while all is well.";
            page.family("seaworthy_audit_entries_waiting", Kind::Gauge, help).sample(&[], counts.failing);
        });
    }
}
