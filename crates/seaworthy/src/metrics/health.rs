//! What checks have found, as metrics.
//!
//! ```
//! use std::time::Duration;
//! use seaworthy::core::health::Snapshot;
//! use seaworthy::metrics::health::Summary;
//!
//! let summary = Summary::of(&Snapshot::default(), Duration::from_secs(60));
//! assert_eq!((summary.services, summary.healthy), (0, 0));
//! ```

use std::time::Duration;

use seaworthy_core::health::{Class, Snapshot, Status};
use seaworthy_core::metric::{Exposition, Kind};
use serde::Serialize;

use Kind::{Counter, Gauge, Untyped};

/// The health of all checks as a few numbers, for whoever reads JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// In seconds, to the tenth.
    pub uptime: f64,
    /// Checks there are.
    pub services: usize,
    /// Of them, those that pass.
    pub healthy: usize,
    /// Those that fail.
    pub unhealthy: usize,
    /// Those that pass with a warning.
    pub degraded: usize,
    /// Runs of checks since the start.
    pub checks_total: u64,
}

impl Summary {
    /// `snapshot` is the one that is to be believed now.
    #[must_use]
    pub fn of(snapshot: &Snapshot, uptime: Duration) -> Self {
        let count = |status| snapshot.checks.iter().filter(|check| check.status == status).count();
        Self {
            uptime: (uptime.as_secs_f64() * 10.0).round() / 10.0,
            services: snapshot.checks.len(),
            healthy: count(Status::Healthy),
            unhealthy: count(Status::Unhealthy),
            degraded: count(Status::Degraded),
            checks_total: snapshot.runs,
        }
    }

    /// One object.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers can be written as JSON")
    }
}

/// Writes the families of checks. `snapshot` is the one that is to be believed now; `most` is how many checks a family
/// may name.
#[doc(hidden)]
pub fn write(page: &mut Exposition, snapshot: &Snapshot, uptime: Duration, most: usize) {
    let checks = &snapshot.checks[..snapshot.checks.len().min(most)];
    page.family("health_uptime_seconds", Gauge, "How long this process runs.").sample(&[], uptime);
    let count = |status| snapshot.checks.iter().filter(|check| check.status == status).count() as u64;
    page.family("health_services_total", Untyped, "Checks that there are.").sample(&[], snapshot.checks.len() as u64);
    page.family("health_services_healthy", Gauge, "Checks that hold.").sample(&[], count(Status::Healthy));
    page.family("health_services_degraded", Gauge, "Checks that hold, but not well.")
        .sample(&[], count(Status::Degraded));
    page.family("health_services_unhealthy", Gauge, "Checks that fail.").sample(&[], count(Status::Unhealthy));
    page.family("health_checks_run_total", Counter, "Runs of checks.").sample(&[], snapshot.runs);
    if checks.is_empty() {
        return;
    }
    let mut family =
        page.family("health_check_status", Gauge, "1 healthy, 0.5 degraded, 0 unhealthy; none before the first run.");
    for check in checks {
        let status = match check.status {
            Status::Pending => continue,
            Status::Healthy => 1.0,
            Status::Degraded => 0.5,
            Status::Unhealthy => 0.0,
        };
        family.sample(&[("name", &check.name)], status);
    }
    let mut family = page.family("health_check_duration_seconds", Gauge, "How long the last run that passed took.");
    for check in checks {
        if let Some(latency) = check.latency {
            family.sample(&[("name", &check.name)], latency);
        }
    }
    let mut family = page.family("health_check_failures_total", Counter, "Runs that failed, by class.");
    for check in checks {
        // All of them from the beginning, so that the first failure is an increase. Stale is no outcome of a run.
        for class in Class::ALL.iter().copied().filter(|class| *class != Class::Stale) {
            family.sample(&[("name", &check.name), ("class", class.name())], check.failures.of(class));
        }
    }
    let mut family = page.family("health_check_info", Gauge, "Always 1; the labels say what is asked, and for whom.");
    for check in checks {
        let group = check.group.as_deref().unwrap_or_default();
        let known = [("name", &*check.name), ("kind", check.kind), ("affects", check.affects.name()), ("group", group)];
        let given = check.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        family.sample(&known.into_iter().chain(given).collect::<Vec<_>>(), 1_u64);
    }
}
