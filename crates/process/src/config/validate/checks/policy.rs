//! When results of a check are believed, and how bad its failures are.

use std::time::Duration;

use seaworthy::core::health::{Class, OnFailure, Policy, Severity};

use super::Entry;
use crate::config::{nearest, raw, tree};

/// More often than this is an attack.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// In `on-failure`: every class that is not named.
const OTHERS: &str = "error";

impl Entry<'_, '_> {
    pub(super) fn policy(&mut self) -> Policy {
        let (interval, timeout) = (self.raw.interval.0, self.raw.timeout.0);
        if interval < SHORTEST_INTERVAL {
            self.refuse("interval", "asks more than ten times a second", "write at least \"100ms\"");
        }
        let path = self.key("timeout");
        self.review.positive(&path, &self.raw.timeout);
        let age = interval.saturating_add(timeout);
        let stale_after = self.raw.stale_after.as_ref().map_or(age.saturating_mul(3), |time| time.0);
        if stale_after < age {
            let hint = "write at least as much as both together, or leave it out";
            self.refuse(
                "stale-after",
                "is over before the next result can be there: interval and timeout are longer",
                hint,
            );
        }
        Policy {
            failure_threshold: self.raw.failure_threshold,
            success_threshold: self.raw.success_threshold,
            on_failure: self.on_failure(),
            warn_latency: self.raw.warn_latency.as_ref().map(|time| time.0),
            stale_after,
        }
    }

    pub(super) fn on_failure(&mut self) -> OnFailure {
        let severity = |severity: raw::Severity| match severity {
            raw::Severity::Degraded => Severity::Degraded,
            raw::Severity::Unhealthy => Severity::Unhealthy,
        };
        let others = self.raw.on_failure.get(OTHERS).map_or(Severity::Unhealthy, |others| severity(*others));
        let mut on_failure = OnFailure::all(others);
        // What is stale is not known, and a class of nobody's answer.
        let known = || Class::ALL.iter().copied().filter(|class| *class != Class::Stale);
        for (name, given) in &self.raw.on_failure {
            match known().find(|class| class.name() == name) {
                Some(class) => on_failure = on_failure.with(class, severity(*given)),
                None if name == OTHERS => {}
                None => {
                    let names: Vec<_> = known().map(Class::name).chain([OTHERS]).collect();
                    let hint = match nearest::to(name, names.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("known here: {}", names.join(", ")),
                    };
                    self.refuse(&tree::join("on-failure", name), "is no class of failures", hint);
                }
            }
        }
        on_failure
    }
}
