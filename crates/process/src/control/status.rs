//! How a running Seaworthy is: what `seaworthy status` shows.

use std::time::Instant;

use seaworthy::core::health::Check;
use seaworthy::probes;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Level};
use crate::egress::BreakerView;
use crate::ops::Facts;

/// How a running Seaworthy is. Times are in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) service: String,
    pub(crate) version: Option<String>,
    /// The name of the lifecycle's state.
    pub(crate) state: String,
    /// Whether new requests are held.
    pub(crate) paused: bool,
    /// The verdict of readiness.
    pub(crate) ready: bool,
    /// The verdict of health in one word.
    pub(crate) health: String,
    pub(crate) pid: u32,
    pub(crate) uptime: f64,
    /// Where the public is served, and where probes and metrics are: as bound.
    pub(crate) listen: Vec<String>,
    pub(crate) admin: Option<String>,
    /// The program, where we run one.
    pub(crate) app: Option<AppStatus>,
    /// Where requests go, where there is a gateway.
    pub(crate) upstream: Option<String>,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) checks: Vec<CheckStatus>,
    /// Of the services that the program calls through us.
    pub(crate) breakers: Vec<BreakerView>,
    /// What `[require]` demands and is not set.
    pub(crate) missing: Vec<String>,
    pub(crate) log_level: Option<LogLevelStatus>,
    pub(crate) reloads: ReloadStatus,
}

/// The program that we run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AppStatus {
    /// `None` while it is down.
    pub(crate) pid: Option<u32>,
    pub(crate) port: Option<u16>,
    pub(crate) uptime: Option<f64>,
    pub(crate) restarts: u32,
}

/// One check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CheckStatus {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) affects: String,
    /// How it fails, while it does: the class, and the text of the error.
    pub(crate) class: Option<String>,
    pub(crate) error: Option<String>,
    /// How long it has been so.
    pub(crate) since: Option<f64>,
    pub(crate) latency_ms: Option<f64>,
}

/// From which level on log lines are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogLevelStatus {
    pub(crate) level: Level,
    /// When the level of the config comes back, if it was changed for a while.
    pub(crate) expires: Option<f64>,
}

/// How often the config was loaded again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ReloadStatus {
    pub(crate) done: u32,
    pub(crate) refused: u32,
}

impl Status {
    /// What probes know too. The rest is for whoever runs the program and the gateway to fill in.
    pub(crate) fn of(config: &Config, facts: &Facts) -> Self {
        let probes::Facts { now, uptime, state, snapshot, .. } = &facts.known;
        Self {
            service: config.service.clone(),
            version: config.version.clone(),
            state: state.name().to_owned(),
            ready: snapshot.ready(*state),
            health: snapshot.overall(*state).name().to_owned(),
            pid: std::process::id(),
            uptime: uptime.as_secs_f64(),
            checks: snapshot.checks.iter().map(|check| CheckStatus::of(check, now.instant)).collect(),
            missing: snapshot.missing.clone(),
            ..Self::default()
        }
    }
}

impl CheckStatus {
    /// A check of the last snapshot, as it is at `now`. For the control socket only: it shows the text of the error.
    fn of(check: &Check, now: Instant) -> Self {
        Self {
            name: check.name.clone(),
            status: check.status.name().to_owned(),
            affects: check.affects.name().to_owned(),
            class: check.class.map(|class| class.name().to_owned()),
            error: check.error.clone(),
            since: check.since.map(|since| now.saturating_duration_since(since).as_secs_f64()),
            latency_ms: check.latency.map(|latency| latency.as_secs_f64() * 1e3),
        }
    }
}
