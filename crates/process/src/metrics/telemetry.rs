//! What became of what was told: spans, reports, entries of the audit trail. Only what is on has families.

use seaworthy::core::metric::{Exposition, Kind};

use crate::telemetry::Counters;

pub(super) fn write(page: &mut Exposition, counters: &Counters) {
    let Counters { spans, reports, audit } = counters;
    if let Some(spans) = spans {
        let counts = spans.read();
        page.family("seaworthy_spans_total", Kind::Counter, "Spans for the collector, by what became of them.")
            .sample(&[("outcome", "exported")], counts.exported)
            .sample(&[("outcome", "dropped")], counts.dropped)
            .sample(&[("outcome", "failed")], counts.failed);
    }
    if let Some(reports) = reports {
        let counts = reports.counts();
        page.family("seaworthy_reports_total", Kind::Counter, "Reports for Sentry, by what became of them.")
            .sample(&[("outcome", "sent")], counts.sent)
            .sample(&[("outcome", "lost")], counts.lost);
    }
    if let Some(audit) = audit {
        let counts = audit.counts();
        page.family(
            "seaworthy_audit_entries_total",
            Kind::Counter,
            "Entries of the audit trail, by what became of them.",
        )
        .sample(&[("outcome", "written")], counts.written)
        .sample(&[("outcome", "lost")], counts.lost);
        page.family(
            "seaworthy_audit_entries_waiting",
            Kind::Gauge,
            "Entries that the disk does not take; 0 while all is well.",
        )
        .sample(&[], counts.failing);
    }
}
