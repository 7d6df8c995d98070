//! What one worker tells of its requests.

use std::sync::{Arc, Mutex, PoisonError};

use seaworthy::access::Observer as _;
use seaworthy::core::event::RequestFinished;
use seaworthy::otlp::{Shown, SpanBuffer};
use seaworthy::sentry::Reporter;

/// The spans and the reports of one worker.
#[derive(Debug)]
pub struct WorkerTelemetry {
    spans: Option<SpanBuffer>,
    sentry: Option<Reporter>,
    shown: CurrentlyShown,
}

impl WorkerTelemetry {
    /// Either may be off.
    pub fn new(spans: Option<SpanBuffer>, sentry: Option<Reporter>, shown: CurrentlyShown) -> Self {
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

/// What of requests is shown, replaced by a reload. Clones share it.
#[derive(Debug, Clone)]
pub struct CurrentlyShown(Arc<Mutex<Shown>>);

impl CurrentlyShown {
    /// Until the first reload.
    pub fn new(shown: Shown) -> Self {
        Self(Arc::new(Mutex::new(shown)))
    }

    pub(crate) fn get(&self) -> Shown {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Workers follow when they are told to reload.
    pub fn set(&self, shown: Shown) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}
