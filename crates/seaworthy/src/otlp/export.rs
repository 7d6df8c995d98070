//! The task that carries spans to the collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use seaworthy_core::event::{Event, Sink};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::queue::{Chunk, Queue};
use super::settings::{Protocol, Settings, shown};
use super::wire::{self, Content};
use super::{grpc, span};
use crate::client::Transport;
use crate::post::{PostError, Reply, USER_AGENT, post};

/// What became of spans.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) exported: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// All tries of one batch are over within this time, the default of `OTEL_BSP_EXPORT_TIMEOUT`.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause before the second try, which doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Export {
    pub(super) settings: Settings,
    pub(super) transport: Transport<Full<Bytes>>,
    pub(super) queue: Arc<Queue>,
    pub(super) counts: Arc<Counts>,
    pub(super) sink: Arc<dyn Sink>,
    /// While the collector cannot be reached: how many spans had been lost before.
    pub(super) outage: Option<u64>,
}

/// Why a batch did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    #[error(transparent)]
    Post(#[from] PostError),
    #[error("it answers {status}{}", said(message))]
    Refused { status: String, message: String, again: bool, after: Option<Duration> },
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl ExportError {
    /// Whether the same batch may be taken the next time (OTLP specification, "Failures").
    fn again(&self) -> bool {
        match self {
            Self::Post(_) => true,
            Self::Refused { again, .. } => *again,
        }
    }

    fn after(&self) -> Option<Duration> {
        match self {
            Self::Post(_) => None,
            Self::Refused { after, .. } => *after,
        }
    }
}

impl Export {
    /// Until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        let resource = self.resource();
        while let Some(batch) = self.next().await {
            let spans: u32 = batch.iter().map(|chunk| chunk.spans).sum();
            let message = Bytes::from(frame(&resource, &batch));
            drop(batch);
            match self.deliver(message).await {
                Ok(rejected) => {
                    let rejected = rejected.min(u64::from(spans));
                    self.counts.exported.fetch_add(u64::from(spans) - rejected, Ordering::Relaxed);
                    self.counts.failed.fetch_add(rejected, Ordering::Relaxed);
                    self.resumed();
                }
                Err(_) => {
                    self.counts.failed.fetch_add(u64::from(spans), Ordering::Relaxed);
                }
            }
        }
    }

    /// How many spans nobody will see, since the start.
    fn lost(&self) -> u64 {
        self.queue.dropped() + self.counts.failed.load(Ordering::Relaxed)
    }

    fn failed(&mut self, error: &ExportError) {
        if self.outage.is_none() {
            self.outage = Some(self.lost());
            let (to, reason) = (self.collector(), error.to_string());
            self.sink.emit(&Event::ExportFailed { what: "spans", to, reason });
        }
    }

    fn resumed(&mut self) {
        if let Some(before) = self.outage.take() {
            let lost = u32::try_from(self.lost() - before).unwrap_or(u32::MAX);
            self.sink.emit(&Event::ExportResumed { what: "spans", to: self.collector(), lost });
        }
    }

    fn collector(&self) -> String {
        shown(&self.settings.endpoint.to_string())
    }

    /// Waits for a batch: as many spans as fit, or what there is after the delay.
    async fn next(&self) -> Option<Vec<Chunk>> {
        let Settings { batch, delay, .. } = self.settings;
        let mut due = None;
        loop {
            let changed = self.queue.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let fill = self.queue.fill();
            if fill.spans >= batch || (fill.closed && fill.spans > 0) {
                return Some(self.queue.take(batch));
            }
            if fill.closed {
                return None;
            }
            match due {
                None => {
                    if fill.spans == 0 {
                        changed.await;
                    }
                    due = Some(Instant::now() + delay);
                }
                Some(at) => {
                    if timeout_at(at, changed).await.is_err() {
                        self.queue.collect();
                        due = None;
                        if self.queue.fill().spans > 0 {
                            return Some(self.queue.take(batch));
                        }
                    }
                }
            }
        }
    }

    /// Says how many spans the collector did not want.
    async fn deliver(&mut self, message: Bytes) -> Result<u64, ExportError> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.attempt(message.clone()).await {
                Ok(rejected) => return Ok(rejected),
                Err(error) => error,
            };
            self.failed(&error);
            // With jitter: all that lost the same collector come back to it at different times.
            let wait = error.after().unwrap_or_else(|| pause.mul_f64(0.5 + fastrand::f64()));
            pause *= 2;
            let next = Instant::now() + wait;
            if !error.again() || next > deadline || self.closed_before(next).await {
                return Err(error);
            }
        }
    }

    /// Waits until `at`, but not longer than until the end.
    async fn closed_before(&self, at: Instant) -> bool {
        loop {
            let changed = self.queue.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if self.queue.fill().closed {
                return true;
            }
            tokio::select! {
                () = sleep_until(at) => return false,
                () = changed => {}
            }
        }
    }

    async fn attempt(&self, message: Bytes) -> Result<u64, ExportError> {
        let Settings { endpoint, protocol, headers, timeout, .. } = &self.settings;
        let mut request = Request::post(endpoint.clone()).header(header::USER_AGENT, USER_AGENT);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = match protocol {
            Protocol::Http => request.header(header::CONTENT_TYPE, "application/x-protobuf").body(Full::new(message)),
            Protocol::Grpc => grpc::request(request, &message, *timeout),
        };
        let request = request.map_err(|error| refused("no request", error.to_string()))?;
        let reply = post(&self.transport, request, *timeout).await?;
        match protocol {
            Protocol::Http => http_outcome(&reply),
            Protocol::Grpc => grpc::outcome(&reply),
        }
    }

    /// `Resource` and `InstrumentationScope`, which are the same for all batches.
    fn resource(&self) -> Prefix {
        let mut resource = Vec::new();
        let sdk = [
            ("telemetry.sdk.name", "seaworthy"),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        ];
        let given = self.settings.resource.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in given.chain(sdk) {
            span::attribute_text(&mut resource, 1, key, value);
        }
        let mut scope = Vec::new();
        wire::message(&mut scope, 1, |out| {
            wire::bytes(out, 1, b"seaworthy");
            wire::bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
        });
        Prefix { resource, scope }
    }
}

/// What stands before the spans of each batch.
struct Prefix {
    resource: Vec<u8>,
    scope: Vec<u8>,
}

/// `ExportTraceServiceRequest` with one `ResourceSpans` with one `ScopeSpans`: the spans are there as they stand.
fn frame(prefix: &Prefix, batch: &[Chunk]) -> Vec<u8> {
    let spans: usize = batch.iter().map(|chunk| chunk.bytes.len()).sum();
    let scope_spans = prefix.scope.len() + spans;
    let resource_spans = wire::field_length(1, prefix.resource.len()) + wire::field_length(2, scope_spans);
    let mut out = Vec::with_capacity(wire::field_length(1, resource_spans));
    wire::prefix(&mut out, 1, resource_spans);
    wire::bytes(&mut out, 1, &prefix.resource);
    wire::prefix(&mut out, 2, scope_spans);
    out.extend_from_slice(&prefix.scope);
    for chunk in batch {
        out.extend_from_slice(&chunk.bytes);
    }
    out
}

/// `ExportTraceServiceResponse.partial_success.rejected_spans`.
pub(super) fn rejected(response: &[u8]) -> u64 {
    let partial = wire::fields(response).find_map(|field| match field {
        (1, Content::Bytes(partial)) => Some(partial),
        _ => None,
    });
    let mut fields = partial.into_iter().flat_map(wire::fields);
    fields
        .find_map(|field| match field {
            (1, Content::Integer(rejected)) => Some(rejected),
            _ => None,
        })
        .unwrap_or_default()
}

fn http_outcome(reply: &Reply) -> Result<u64, ExportError> {
    if reply.status.is_success() {
        return Ok(rejected(&reply.body));
    }
    let again = matches!(
        reply.status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    // `Status.message`, where a collector answers as the specification wants; else nothing that people can read.
    let message = wire::fields(&reply.body).find_map(|field| match field {
        (2, Content::Bytes(message)) => std::str::from_utf8(message).ok(),
        _ => None,
    });
    Err(ExportError::Refused {
        status: reply.status.as_u16().to_string(),
        message: message.unwrap_or_default().to_owned(),
        again,
        after: reply.retry_after(),
    })
}

pub(super) fn refused(status: impl Into<String>, message: impl Into<String>) -> ExportError {
    ExportError::Refused { status: status.into(), message: message.into(), again: false, after: None }
}
