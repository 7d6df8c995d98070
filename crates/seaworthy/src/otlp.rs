//! Spans for a collector: OTLP over HTTP or gRPC (feature `otlp`).
//!
//! # Rules
//!
//! - A span is encoded where its request ends, into a buffer of that thread. One task carries buffers away, so that a
//!   request waits neither for a lock that others hold nor for the network.
//! - What waits is bounded, in spans and in bytes. What does not fit, or was refused, is dropped and counted: a collector
//!   that is away costs bounded memory and nothing else.
//! - A trace is kept or not at its head ([`Sampler`]); what went wrong is exported all the same, unless
//!   [`Settings::on_error`] is switched off.
//! - A failure is reported once, and once when the collector is back, with the number of spans that were lost.
//!
//! # In production
//!
//! Keep a collector near: a batch is tried again for 30 s, and one after the other. Names of spans are bounded if routes are
//! known; without them the name is the method alone, as the conventions want it.
//!
//! # Example
//!
//! ```
//! use seaworthy::Production;
//! use seaworthy::otlp::{Kind, Protocol, Settings};
//!
//! // Or `otlp_from_env`, for OTEL_EXPORTER_OTLP_ENDPOINT and its like.
//! let settings = Settings::new("http://127.0.0.1:4318", Protocol::Http, "orders")?;
//! let production = Production::builder("orders", "1.0.0").otlp(settings).build()?;
//!
//! let tracer = production.tracer().expect("spans are exported"); // for spans of your own
//! let mut span = tracer.begin("charge the card", Kind::Client, None);
//! span.set("server.address", "api.stripe.com");
//! span.end();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without [`Production`](crate::Production) there is [`Exporter`]: give its [`sampler`](Exporter::sampler) to
//! [`TraceContextLayer::spans`](crate::trace::TraceContextLayer::spans), its [`spans`](Exporter::spans) to an
//! [`AccessLayer`](crate::access::AccessLayer), and [`close`](Exporter::close) it last.

mod buffer;
mod call;
mod environment;
mod export;
mod grpc;
mod queue;
mod request;
mod settings;
mod span;
#[cfg(test)]
pub(crate) mod tests;
mod tracer;
mod wire;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use seaworthy_core::event::Sink;
use tokio::task::JoinHandle;

pub use self::buffer::{SpanBuffer, Spans};
#[doc(hidden)]
pub use self::call::end_call;
pub use self::call::{CallSpan, CallSpanFuture, CallSpanLayer};
pub use self::environment::{Environment, Found, Misread};
pub use self::request::Shown;
pub use self::settings::{Protocol, Settings, SettingsError};
pub use self::span::{Kind, Value};
pub use self::tracer::{Span, Tracer};
pub use seaworthy_core::trace::Sampler;

use self::export::{Counts, Export};
use self::queue::Queue;
use crate::client::{BuildError, Transport};

/// How many bytes of spans may wait.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Carries spans to a collector, as a task of the runtime that it was started on.
#[derive(Debug)]
pub struct Exporter {
    queue: Arc<Queue>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
    spans: Spans,
    sampler: Sampler,
    on_error: bool,
    shown: Shown,
}

/// An [`Exporter`] that carries nothing yet: spans can be made already, and wait. Needs no runtime.
#[derive(Debug)]
pub(crate) struct Prepared {
    settings: Settings,
    transport: Transport<Full<Bytes>>,
    queue: Arc<Queue>,
    counts: Arc<Counts>,
    spans: Spans,
}

impl Prepared {
    pub(crate) fn new(settings: Settings) -> Result<Self, BuildError> {
        let transport = Transport::builder()
            .resolver(settings.resolver.clone())
            .roots(settings.roots.clone())
            .http2_prior_knowledge(settings.protocol == Protocol::Grpc)
            .idle_per_host(1)
            .build()?;
        let queue = Arc::new(Queue::new(settings.queue, MOST_BYTES));
        let spans = Spans::new(&queue, settings.on_error, &settings.shown);
        Ok(Self { settings, transport, queue, counts: Arc::default(), spans })
    }

    pub(crate) fn sampler(&self) -> Sampler {
        self.settings.sampler
    }

    pub(crate) fn spans(&self) -> Spans {
        self.spans.clone()
    }

    pub(crate) fn tracer(&self) -> Tracer {
        Tracer::new(self.spans.clone(), self.settings.sampler, self.settings.on_error)
    }

    pub(crate) fn counter(&self) -> SpanCounter {
        SpanCounter { queue: self.queue.clone(), counts: self.counts.clone() }
    }

    pub(crate) fn start(self, sink: Arc<dyn Sink>) -> Exporter {
        let Self { settings, transport, queue, counts, spans } = self;
        let (sampler, on_error, shown) = (settings.sampler, settings.on_error, settings.shown.clone());
        let export = Export { settings, transport, queue: queue.clone(), counts: counts.clone(), sink, outage: None };
        let task = tokio::spawn(export.run());
        Exporter { queue, counts, task, spans, sampler, on_error, shown }
    }
}

/// How many spans had which end. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpanCounts {
    /// The collector has them.
    pub exported: u64,
    /// There was no room for them.
    pub dropped: u64,
    /// The collector refused them, or was not there.
    pub failed: u64,
}

/// Reads [`SpanCounts`] from wherever they are shown. Clones read the same.
#[derive(Debug, Clone)]
pub struct SpanCounter {
    queue: Arc<Queue>,
    counts: Arc<Counts>,
}

impl SpanCounter {
    /// The counts now.
    pub fn read(&self) -> SpanCounts {
        SpanCounts {
            exported: self.counts.exported.load(Ordering::Relaxed),
            dropped: self.queue.dropped(),
            failed: self.counts.failed.load(Ordering::Relaxed),
        }
    }
}

impl Exporter {
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
        self.queue.close();
    }

    /// Which traces are kept: for [`crate::trace::TraceContextLayer::spans`].
    pub fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// Observes requests on any thread: give it to [`crate::access::AccessLayer`].
    pub fn spans(&self) -> Spans {
        self.spans.clone()
    }

    /// A buffer for one thread, which shares nothing. Its owner flushes it when there is nothing else to do.
    #[doc(hidden)]
    pub fn buffer(&self) -> SpanBuffer {
        SpanBuffer::new(self.queue.clone(), self.on_error, self.shown.clone())
    }

    /// For spans of an application's own, and of calls to others.
    pub fn tracer(&self) -> Tracer {
        Tracer::new(self.spans.clone(), self.sampler, self.on_error)
    }

    /// What became of spans.
    pub fn counter(&self) -> SpanCounter {
        SpanCounter { queue: self.queue.clone(), counts: self.counts.clone() }
    }

    /// Sends what is there, for `patience` at most. What comes afterwards is dropped.
    pub async fn close(mut self, patience: Duration) {
        self.queue.close();
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
            self.queue.lost(self.queue.fill().spans);
        }
    }
}
