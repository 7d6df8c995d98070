//! What one worker counts besides requests, for whoever reads it.
//!
//! Series are only ever added, under a lock that is taken for a series that is new, and to read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seaworthy::core::metric::OTHER;
use seaworthy::metrics::CLIENT_ERRORS;
use seaworthy::metrics::cell::{Count, Durations, Gauge};

use crate::WorkerShare;

/// The numbers of one worker.
#[derive(Debug)]
pub struct Cells {
    pub share: Arc<WorkerShare>,
    pub http1: Gauge,
    pub http2: Gauge,
    pub upstream_open: Gauge,
    pub upstream_idle: Gauge,
    pub upstream_retries: Count,
    pub connection_limit_hits: Count,
    pub idle_races: Count,
    pub client_errors: [Count; CLIENT_ERRORS.len()],
    pub tunnels_closed: Count,
    pub tunnels_cut: Count,
    upstreams: Mutex<Vec<Arc<UpstreamSeries>>>,
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

    /// What each upstream was asked and has answered.
    pub fn upstreams(&self) -> MutexGuard<'_, Vec<Arc<UpstreamSeries>>> {
        self.upstreams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests to one upstream.
#[derive(Debug)]
pub struct UpstreamSeries {
    pub name: Arc<str>,
    pub outcomes: [Count; OUTCOMES.len()],
    pub durations: Durations,
}

/// How a request to an upstream can end; those but the first two are failures before an answer.
pub const OUTCOMES: [&str; 9] = [
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
pub enum Open {
    Http1,
    Http2,
    Upstream,
}

/// Counts something that is open, until it is dropped.
#[derive(Debug)]
pub struct Counted {
    cells: Arc<Cells>,
    what: Open,
}

impl Counted {
    pub fn new(cells: &Arc<Cells>, what: Open) -> Self {
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

#[cfg(test)]
mod tests {
    use super::OUTCOMES;
    use crate::proxy::Failure;

    #[test]
    fn every_failure_of_an_upstream_has_an_outcome_of_its_own() {
        let text = String::new;
        for failure in [
            Failure::Connect(std::io::ErrorKind::ConnectionRefused.into()),
            Failure::ConnectTimeout,
            Failure::Busy,
            Failure::Closed(text()),
            Failure::Invalid(text()),
            Failure::ClientBody(text()),
            Failure::ClientTooSlow,
            Failure::NoAddress,
        ] {
            assert!(OUTCOMES.contains(&failure.outcome()), "{failure}");
        }
    }
}
