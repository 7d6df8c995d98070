//! The default shape: JSON, as the guide describes it.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use seaworthy::core::health::{Check, Class, Measure};
use serde::{Serialize, Serializer};

use crate::ops::answer::Answer;
use crate::ops::facts::Moment;
use crate::ops::report::Report;

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

pub(super) fn write(report: &Report<'_>) -> Answer {
    let Report { status, passes, checks, missing, identity, facts, details, verbose, .. } = report;
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
    Answer::json(if *passes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

fn written(at: Timestamp) -> String {
    format!("{at:.3}")
}
