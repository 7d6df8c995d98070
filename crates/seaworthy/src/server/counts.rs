//! The connections that are open, as metrics: counted when somebody asks, so that a connection costs nothing.

use std::sync::Arc;

use seaworthy_core::metric::Exposition;
use seaworthy_core::metric::Kind::{Counter, Gauge};

use super::Server;
use super::Shared;
use super::state::Phase;
use crate::metrics::Metrics;

/// Open connections.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    http1: u64,
    http2: u64,
    websockets: u64,
}

impl Server {
    /// Shows in `metrics` which connections are open, for as long as it runs.
    pub(crate) fn show_in(&self, metrics: &Metrics) {
        let server = Arc::downgrade(&self.shared);
        metrics.collect(move |page| {
            if let Some(shared) = server.upgrade() {
                write(page, shared.counts(), shared.registry.limit_hits());
            }
        });
    }
}

impl Shared {
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.registry.each(|connection| match connection.phase() {
            Phase::Streams => counts.http2 += 1,
            phase => {
                counts.http1 += 1;
                counts.websockets += u64::from(phase == Phase::Tunnel && connection.is_websocket());
            }
        });
        counts
    }
}

fn write(page: &mut Exposition, counts: Counts, limit_hits: u64) {
    page.family("http_active_connections", Gauge, "Open connections of clients.")
        .sample(&[("protocol", "http1")], counts.http1)
        .sample(&[("protocol", "http2")], counts.http2);
    page.family("active_connections", Gauge, "Open WebSockets.").sample(&[], counts.websockets);
    page.family("connection_limit_hits_total", Counter, "Times a limit on connections was reached.")
        .sample(&[], limit_hits);
}
