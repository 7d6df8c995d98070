//! The default shape: JSON.
//!
//! ```json
//! {"status":"ready","service":"api","version":"1.4.2","timestamp":"2026-01-02T03:04:05.678Z","uptime":3600.2,
//!  "lifecycle":"ready","checks":{"database":{"status":"healthy","latency_ms":1.3,"affects":"ready","since":"…",
//!  "last_checked":"…","consecutive_failures":0}}}
//! ```
//!
//! ```
//! use seaworthy::core::health::{Live, Snapshot};
//! use seaworthy::core::lifecycle::State;
//! use seaworthy::probes::{Facts, Identity, Moment, Report, Verdict, format};
//!
//! let (snapshot, identity) = (Snapshot::default(), Identity { service: "orders".to_owned(), ..Identity::default() });
//! let (now, uptime, live) = (Moment::read(), std::time::Duration::from_secs(60), Live { workers_turn: true });
//! let facts = Facts { now, uptime, state: State::Draining, live, snapshot: snapshot.clone().into() };
//! let report = Report::of_verdict(Verdict::Ready, &snapshot, &facts, &identity, false);
//! assert!(format::json::write(&report).starts_with(br#"{"status":"not_ready","service":"orders""#));
//! ```

use std::collections::BTreeMap;

use jiff::Timestamp;
use seaworthy_core::health::{Check, Class, Measure};
use serde::{Serialize, Serializer};

use crate::probes::{Moment, Report};

/// The order of the fields is part of the contract.
#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    timestamp: String,
    uptime: f64,
    lifecycle: &'static str,
    checks: Checks<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Incomplete<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct Incomplete<'a> {
    status: &'static str,
    missing: &'a [String],
}

struct Checks<'a> {
    list: &'a [&'a Check],
    now: Moment,
    details: bool,
    verbose: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    affects: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_checked: Option<String>,
    consecutive_failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because_of: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    flapping: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    measures: Vec<Measured<'a>>,
}

/// A number that a check reports.
#[derive(Serialize)]
struct Measured<'a> {
    name: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'static str, &'a str>,
    value: f64,
}

impl<'a> From<&'a Measure> for Measured<'a> {
    fn from(measure: &'a Measure) -> Self {
        let labels = measure.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Self { name: measure.name, labels, value: measure.value }
    }
}

impl Serialize for Checks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = |check: &'_ Check| {
            let at = |instant| written(self.now.wall_of(instant));
            // To the microsecond: a check over loopback takes less than a millisecond.
            let latency_ms = check.latency.map(|latency| (latency.as_secs_f64() * 1e6).round() / 1e3);
            (latency_ms, check.since.map(at), check.last_checked.map(at))
        };
        serializer.collect_map(self.list.iter().map(|check| {
            let (latency_ms, since, last_checked) = line(check);
            let line = Line {
                status: check.status.name(),
                latency_ms,
                affects: check.affects.name(),
                since,
                last_checked,
                consecutive_failures: check.consecutive_failures,
                group: check.group.as_deref(),
                class: check.class.map(Class::name),
                error: check.error.as_deref().filter(|_| self.details),
                because_of: check.because_of.as_deref(),
                flapping: check.flapping,
                measures: check.measures.iter().filter(|_| self.details && self.verbose).map(Measured::from).collect(),
            };
            (check.name.as_str(), line)
        }))
    }
}

/// The body, with a newline for whoever reads it on a terminal.
pub fn write(report: &Report<'_>) -> Vec<u8> {
    let Report { status, checks, missing, identity, facts, details, verbose, .. } = report;
    let body = Body {
        status,
        service: &identity.service,
        version: identity.version.as_deref(),
        timestamp: written(facts.now.wall),
        uptime: (facts.uptime.as_secs_f64() * 10.0).round() / 10.0,
        lifecycle: facts.state.name(),
        checks: Checks { list: checks, now: facts.now, details: *details, verbose: *verbose },
        config: (!missing.is_empty()).then_some(Incomplete { status: "incomplete", missing }),
        info: Some(&identity.info).filter(|info| !info.is_empty()),
    };
    let mut written = serde_json::to_vec(&body).expect("tables with text for keys can be written as JSON");
    written.push(b'\n');
    written
}

fn written(at: Timestamp) -> String {
    format!("{at:.3}")
}
