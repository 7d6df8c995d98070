//! Spans, reports and the audit trail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use seaworthy::core::trace::Sampler;
use seaworthy::otlp::Protocol;
use seaworthy::sentry::Dsn;

use crate::config::units::Secret;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// Whether a trace is begun for a request without one, although no spans are exported.
    pub(crate) begin: bool,
    /// Which traces are kept.
    pub(crate) sampler: Sampler,
    /// Where spans go; `None` where they go nowhere.
    pub(crate) export: Option<Export>,
}

/// Where spans go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) endpoint: String,
    pub(crate) protocol: Protocol,
    pub(crate) headers: BTreeMap<String, Secret>,
    pub(crate) timeout: Duration,
    /// In PEM.
    pub(crate) authorities: Option<String>,
    pub(crate) on_error: bool,
    /// Attributes of all spans.
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) queue: u32,
    pub(crate) batch: u32,
    pub(crate) delay: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sentry {
    pub(crate) dsn: Dsn,
    pub(crate) environment: String,
    pub(crate) release: Option<String>,
    pub(crate) traces_sample_rate: f64,
    pub(crate) check_failed_after: Duration,
    /// In PEM.
    pub(crate) authorities: Option<String>,
}

/// The rate is a number.
impl Eq for Sentry {}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) path: PathBuf,
    /// What hashes are sealed with.
    pub(crate) key: Option<Secret>,
}
