//! What one worker counts besides requests, for whoever reads it.
//!
//! Series are only ever added, under a lock that is taken for a series that is new, and to read.

use std::sync::{Arc, Mutex};

use seaworthy::core::metric::OTHER;
use seaworthy::metrics::cell::{Count, Durations, Gauge};

use crate::gateway::WorkerShare;

/// The numbers of one worker.
#[derive(Debug)]
pub(crate) struct Cells {
    pub(super) share: Arc<WorkerShare>,
    pub(super) http1: Gauge,
    pub(super) http2: Gauge,
    pub(super) upstream_open: Gauge,
    pub(super) upstream_idle: Gauge,
    pub(super) upstream_retries: Count,
    pub(super) connection_limit_hits: Count,
    pub(super) idle_races: Count,
    pub(super) client_errors: [Count; CLIENT_ERRORS.len()],
    pub(super) tunnels_closed: Count,
    pub(super) tunnels_cut: Count,
    pub(super) upstreams: Mutex<Vec<Arc<UpstreamSeries>>>,
}

impl Cells {
    pub(super) fn new(share: Arc<WorkerShare>) -> Self {
        Self {
            share,
            http1: Gauge::default(),
            http2: Gauge::default(),
            upstream_open: Gauge::default(),
            upstream_idle: Gauge::default(),
            upstream_retries: Count::default(),
            connection_limit_hits: Count::default(),
            idle_races: Count::default(),
            client_errors: Default::default(),
            tunnels_closed: Count::default(),
            tunnels_cut: Count::default(),
            upstreams: Mutex::default(),
        }
    }
}

/// What a client that broke HTTP was answered, and how that is called; the last stands for all others.
pub(super) const CLIENT_ERRORS: [(u16, &str); 6] =
    [(0, "none"), (400, "400"), (408, "408"), (414, "414"), (431, "431"), (u16::MAX, OTHER)];

/// Requests to one upstream.
#[derive(Debug)]
pub(super) struct UpstreamSeries {
    pub(super) name: Arc<str>,
    pub(super) outcomes: [Count; OUTCOMES.len()],
    pub(super) durations: Durations,
}

/// How a request to an upstream can end; those but the first two are failures before an answer.
pub(super) const OUTCOMES: [&str; 9] = [
    "answered",
    "server_error",
    "unreachable",
    "connect_timeout",
    "busy",
    "closed",
    "invalid",
    "client_body",
    // Whatever failure is added and not entered here.
    OTHER,
];

/// Which of the open things is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Open {
    Http1,
    Http2,
    Upstream,
}

/// Counts something that is open, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    cells: Arc<Cells>,
    what: Open,
}

impl Counted {
    pub(crate) fn new(cells: &Arc<Cells>, what: Open) -> Self {
        let counted = Self { cells: cells.clone(), what };
        counted.gauge().up();
        counted
    }

    fn gauge(&self) -> &Gauge {
        match self.what {
            Open::Http1 => &self.cells.http1,
            Open::Http2 => &self.cells.http2,
            Open::Upstream => &self.cells.upstream_open,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge().down();
    }
}
