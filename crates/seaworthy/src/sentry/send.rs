//! The task that carries reports to Sentry.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::Full;
use seaworthy_core::event::{Event, Sink};

use super::dsn::Dsn;
use super::envelope::Item;
use super::failing::Failing;
use super::limits::Limits;
use super::outbox::{Loss, Outbox};
use super::{Reporter, Settings};
use crate::client::Transport;
use crate::post::{USER_AGENT, post};

/// How long one report may take.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Send {
    pub(super) settings: Settings,
    pub(super) transport: Transport<Full<Bytes>>,
    pub(super) reporter: Reporter,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) limits: Limits,
    /// While Sentry cannot be reached: how many reports had been lost before.
    pub(super) outage: Option<u64>,
}

impl Send {
    fn outbox(&self) -> &Outbox {
        &self.reporter.shared.outbox
    }

    fn failing(&self) -> &Failing {
        &self.reporter.shared.failing
    }

    /// Until the outbox is closed and empty.
    pub(super) async fn run(mut self) {
        loop {
            if let Some(item) = self.outbox().take() {
                self.send(item).await;
                continue;
            }
            if self.outbox().is_closed() {
                return;
            }
            let shared = self.reporter.shared.clone();
            let changed = shared.outbox.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            // What came before this was enrolled.
            if self.outbox().has_items() || self.outbox().is_closed() {
                continue;
            }
            match self.failing().next_due() {
                None => changed.await,
                Some(due) => {
                    let due = tokio::time::Instant::from_std(due);
                    if tokio::time::timeout_at(due, changed).await.is_err() {
                        for report in self.failing().due(Instant::now()) {
                            self.reporter.capture(report);
                        }
                    }
                }
            }
        }
    }

    async fn send(&mut self, item: Item) {
        if !self.limits.allow(item.category, Instant::now()) {
            return self.outbox().discard(Loss::RateLimited, item.category);
        }
        let envelope = item.envelope(&self.outbox().discarded(), SystemTime::now());
        let reason = match self.post(envelope).await {
            Ok((status, headers, retry_after)) => {
                let limits = headers.get("x-sentry-rate-limits").and_then(|limits| limits.to_str().ok());
                self.limits.update(limits, status == 429, retry_after, Instant::now());
                match status {
                    200..300 => {
                        self.outbox().sent.fetch_add(1, Ordering::Relaxed);
                        return self.resumed();
                    }
                    429 => return self.outbox().discard(Loss::RateLimited, item.category),
                    status => format!("it answers {status}"),
                }
            }
            Err(reason) => reason,
        };
        self.outbox().discard(Loss::Network, item.category);
        self.failed(reason);
    }

    async fn post(&self, envelope: Vec<u8>) -> Result<(u16, HeaderMap, Option<Duration>), String> {
        let dsn: &Dsn = &self.settings.dsn;
        let request = Request::post(dsn.envelopes().clone())
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "application/x-sentry-envelope")
            .header("x-sentry-auth", dsn.authorization())
            .body(Full::new(Bytes::from(envelope)))
            .map_err(|error| error.to_string())?;
        let reply = post(&self.transport, request, TIMEOUT).await.map_err(|error| error.to_string())?;
        let retry_after = reply.retry_after();
        Ok((reply.status.as_u16(), reply.headers, retry_after))
    }

    fn lost(&self) -> u64 {
        self.outbox().lost.load(Ordering::Relaxed)
    }

    fn failed(&mut self, reason: String) {
        if self.outage.is_none() {
            // The one that failed is counted already, and was lost in this outage.
            self.outage = Some(self.lost().saturating_sub(1));
            self.sink.emit(&Event::ExportFailed { what: "reports", to: self.settings.dsn.to_string(), reason });
        }
    }

    fn resumed(&mut self) {
        if let Some(before) = self.outage.take() {
            let lost = u32::try_from(self.lost().saturating_sub(before)).unwrap_or(u32::MAX);
            self.sink.emit(&Event::ExportResumed { what: "reports", to: self.settings.dsn.to_string(), lost });
        }
    }
}
