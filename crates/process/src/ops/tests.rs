//! Probes and the ops listener as a whole.

mod listener;
mod shapes;
mod verdicts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use seaworthy::core::event::Memory;
use seaworthy::core::health::{Affects, Check, Class, Live, Measure, Snapshot, Status};
use seaworthy::core::lifecycle::State;
use seaworthy::probes;

use super::facts::{Identity, Moment};
use super::*;
use crate::config::{self, Details, ProbeFormat, PublicProbes};

fn settings() -> config::Probes {
    config::Probes {
        public: PublicProbes::Off,
        paths: BTreeMap::new(),
        allow: Vec::new(),
        details: Details::Loopback,
        token: None,
        format: ProbeFormat::Default,
        shapes: BTreeMap::new(),
        app_path: None,
        sample_interval: Duration::from_secs(10),
    }
}

fn probes(settings: config::Probes) -> Probes {
    let identity = Identity { service: "api".to_owned(), version: Some("1.4.2".to_owned()), ..Identity::default() };
    Probes::new(settings, vec!["DATABASE_URL".to_owned(), "API_KEY".to_owned()], identity)
}

/// The moment at which everything in these tests happens.
fn moment() -> Moment {
    Moment { instant: Instant::now(), wall: "2026-01-02T03:04:05.678912Z".parse::<Timestamp>().unwrap() }
}

/// The database of the guide's example, as it was checked a second before `now`.
fn database(now: Moment) -> Check {
    Check {
        name: "database".to_owned(),
        kind: "postgres",
        status: Status::Healthy,
        affects: Affects::Ready,
        group: Some("storage".to_owned()),
        class: None,
        error: None,
        latency: Some(Duration::from_micros(1_300)),
        since: Some(now.instant.checked_sub(Duration::from_secs(5)).unwrap()),
        last_checked: Some(now.instant.checked_sub(Duration::from_secs(1)).unwrap()),
        consecutive_failures: 0,
        gates_start: false,
        passed_once: true,
        ..Check::default()
    }
}

/// The same, refused, with a text that strangers must not see.
fn refused(now: Moment) -> Check {
    Check {
        status: Status::Unhealthy,
        class: Some(Class::Refused),
        error: Some("10.0.0.7:5432: connection refused".to_owned()),
        consecutive_failures: 3,
        ..database(now)
    }
}

fn facts(state: State, checks: Vec<Check>) -> Facts {
    let snapshot = Arc::new(Snapshot { checks, runs: 17, ..Snapshot::default() });
    let known = probes::Facts {
        now: moment(),
        uptime: Duration::from_millis(3_600_213),
        state,
        live: Live { workers_turn: true },
        snapshot,
    };
    Facts { known, sample: Arc::default() }
}
