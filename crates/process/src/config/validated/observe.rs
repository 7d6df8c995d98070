//! Probes, logs, metrics, request ids.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use http::HeaderName;

pub(crate) use crate::config::raw::{Details, IdFormat, Level, OnFull, ProbeFormat, Trust};
use crate::config::units::Cidr;
pub(crate) use crate::config::units::PublicProbes;
use crate::config::units::Secret;
use crate::shape::{Shape, Uses};
pub(crate) use seaworthy::probes::Verdict;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probes {
    pub(crate) public: PublicProbes,
    /// Paths besides the built-in ones, each with the verdict that it answers.
    pub(crate) paths: BTreeMap<String, Verdict>,
    /// Who may ask; empty means everybody.
    pub(crate) allow: Vec<Cidr>,
    pub(crate) details: Details,
    /// Whoever brings it counts as local.
    pub(crate) token: Option<Secret>,
    /// The shape of a body when neither `Accept` nor `?format=` chose one.
    pub(crate) format: ProbeFormat,
    /// Bodies by path; each path is a probe's.
    pub(crate) shapes: BTreeMap<String, Shape>,
    /// What of the program's own is asked for `app` in shapes.
    pub(crate) app_path: Option<String>,
    /// How often that is asked, and processes and memory are looked at.
    pub(crate) sample_interval: Duration,
}

impl Probes {
    /// Which parts of a sample the shapes use, all together.
    pub(crate) fn uses(&self) -> Uses {
        self.shapes.values().fold(Uses::default(), |uses, shape| uses.and(shape.uses()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) format: LogFormat,
    /// One line a request.
    pub(crate) access: bool,
    /// Whether the line shows the query, redacted.
    pub(crate) query: bool,
    pub(crate) on_full: OnFull,
    /// Name patterns to redact besides the built-in ones.
    pub(crate) redact: Vec<String>,
}

/// How lines are written; `auto` is decided when the configuration is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Pretty,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// Who may scrape on the public listener; empty means nobody.
    pub(crate) allow: Vec<Cidr>,
    /// Where the program shows metrics of its own.
    pub(crate) scrape: Option<String>,
    pub(crate) scrape_timeout: Duration,
    pub(crate) max_series: NonZeroUsize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId {
    pub(crate) trust: Trust,
    pub(crate) format: IdFormat,
    pub(crate) header: HeaderName,
}
