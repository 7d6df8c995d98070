//! What a server counts of its connections. Requests are counted where they end.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use seaworthy_core::connection::Phase;
use seaworthy_core::refusal::Reason;

use super::registry::Registry;
use crate::metrics::{CLIENT_ERRORS, Connections, RequestObserver, client_error};

/// Counts from any thread. None of them happens a request.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    limit_hits: AtomicU64,
    client_errors: [AtomicU64; CLIENT_ERRORS.len()],
    websockets_closed: AtomicU64,
    websockets_cut: AtomicU64,
    /// Who counts what was refused, where somebody does.
    requests: Option<RequestObserver>,
}

impl Counts {
    pub(crate) fn new(requests: Option<RequestObserver>) -> Self {
        Self { requests, ..Self::default() }
    }

    pub(super) fn limit_hit(&self) {
        self.limit_hits.fetch_add(1, Relaxed);
    }

    /// A client broke HTTP and was answered with `status`; 0 where it was not answered.
    pub(super) fn client_error(&self, status: u16) {
        self.client_errors[client_error(status)].fetch_add(1, Relaxed);
        if let (Some(requests), Some(reason)) = (&self.requests, Reason::of_client_error(status)) {
            requests.refused(reason);
        }
    }

    /// A WebSocket ended, by its ends or by us.
    pub(super) fn websocket_ended(&self, cut: bool) {
        if cut { &self.websockets_cut } else { &self.websockets_closed }.fetch_add(1, Relaxed);
    }

    /// All that was counted, and what is open in `registry`; nothing is, where the server is gone.
    pub(super) fn read(&self, registry: Option<&Registry>) -> Connections {
        let mut connections = Connections {
            websockets_closed: self.websockets_closed.load(Relaxed),
            websockets_cut: self.websockets_cut.load(Relaxed),
            limit_hits: self.limit_hits.load(Relaxed),
            client_errors: self.client_errors.each_ref().map(|count| count.load(Relaxed)),
            ..Connections::default()
        };
        let Some(registry) = registry else { return connections };
        registry.each(|connection| match connection.phase() {
            Phase::Streams => connections.http2 += 1,
            phase => {
                connections.http1 += 1;
                connections.websockets += u64::from(phase == Phase::Tunnel && connection.is_websocket());
            }
        });
        connections
    }
}
