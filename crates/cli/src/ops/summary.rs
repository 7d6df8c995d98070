//! The health of all checks as a few numbers, in JSON: `GET /metrics?format=json`.

use seaworthy::core::health::Status;
use serde::Serialize;

use super::facts::Facts;

/// How many checks there are, and how they are.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// In seconds.
    uptime: f64,
    services: usize,
    healthy: usize,
    unhealthy: usize,
    degraded: usize,
    /// Runs of checks since the start.
    checks_total: u64,
}

impl Summary {
    pub(super) fn of(facts: &Facts) -> Self {
        let checks = &facts.snapshot.checks;
        let count = |status| checks.iter().filter(|check| check.status == status).count();
        Self {
            uptime: (facts.uptime.as_secs_f64() * 10.0).round() / 10.0,
            services: checks.len(),
            healthy: count(Status::Healthy),
            unhealthy: count(Status::Unhealthy),
            degraded: count(Status::Degraded),
            checks_total: facts.snapshot.runs,
        }
    }
}
