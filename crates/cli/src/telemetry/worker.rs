//! What one worker tells of its requests.

use seaworthy::access::Observer as _;
use seaworthy::core::event::RequestFinished;
use seaworthy::otlp::SpanBuffer;
use seaworthy::sentry::Reporter;

use super::CurrentlyShown;

/// The spans and the reports of one worker.
#[derive(Debug)]
pub(crate) struct WorkerTelemetry {
    spans: Option<SpanBuffer>,
    sentry: Option<Reporter>,
    shown: CurrentlyShown,
}

impl WorkerTelemetry {
    pub(super) fn new(spans: Option<SpanBuffer>, sentry: Option<Reporter>, shown: CurrentlyShown) -> Self {
        Self { spans, sentry, shown }
    }

    /// A request is over.
    pub(crate) fn finished(&mut self, request: &RequestFinished<'_>) {
        if let Some(spans) = &mut self.spans {
            spans.request(request);
        }
        if let Some(sentry) = &self.sentry {
            sentry.finished(request);
        }
    }

    /// Takes the settings that are in force now.
    pub(crate) fn reload(&mut self) {
        if let Some(spans) = &mut self.spans {
            spans.show(self.shown.get());
        }
    }

    /// Hands over the spans of the last while.
    pub(crate) fn tick(&mut self) {
        if let Some(spans) = &mut self.spans {
            spans.flush();
        }
    }
}
