//! Tries a shape on made-up facts before it is used: once for each word of its verdict and each way that checks can be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use seaworthy::core::health::{Check, Class, Measure, Snapshot, Status};
use seaworthy_checks::catalogue;

use super::{Process, Sample, Shape, ShapeError, System, View};

/// How all checks are at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    Pending,
    Healthy,
    Failing,
}

pub(super) fn run(shape: &Shape, verdict: &'static str, words: &[(&'static str, bool)]) -> Result<(), ShapeError> {
    for (status, passes) in words {
        for (checks, how) in
            [(Checks::Pending, "not yet run"), (Checks::Healthy, "healthy"), (Checks::Failing, "failing")]
        {
            // A stranger sees a failure without its text.
            let whose: &[bool] = if checks == Checks::Failing { &[true, false] } else { &[false] };
            for details in whose {
                let view = view(shape, verdict, (status, *passes), checks, *details);
                shape.render(view).map_err(|error| {
                    ShapeError::trial(
                        shape.source(),
                        &error,
                        &format!("when the status is {status}, with its checks {how}"),
                    )
                })?;
            }
        }
    }
    Ok(())
}

fn view(
    shape: &Shape,
    verdict: &'static str,
    (status, passes): (&'static str, bool),
    checks: Checks,
    details: bool,
) -> View {
    let instant = Instant::now();
    let missing = if checks == Checks::Failing { vec!["NAME".to_owned()] } else { Vec::new() };
    let known = shape.known().checks.iter().map(|check| one(check, checks, instant)).collect();
    View {
        verdict,
        status,
        passes,
        lifecycle: if passes { "ready" } else { "starting" },
        instant,
        wall: Timestamp::UNIX_EPOCH,
        uptime: Duration::from_millis(36_500),
        snapshot: Arc::new(Snapshot { checks: known, missing, runs: 1 }),
        details,
        // The program is asked once it is ready, and what it says is not known here.
        sample: Arc::new(Sample { process: Some(Process::default()), system: Some(System::default()), app: None }),
    }
}

fn one(check: &Check, checks: Checks, now: Instant) -> Check {
    let check = check.clone();
    if checks == Checks::Pending {
        return check;
    }
    let metrics = catalogue::row(check.kind).into_iter().flat_map(|row| row.metrics);
    let measure = |metric: &catalogue::Metric| {
        metric.labels.iter().fold(Measure::new(metric.name, 1.0), |measure, label| measure.with(label, "name"))
    };
    let run = Check {
        status: Status::Healthy,
        latency: Some(Duration::from_micros(1_300)),
        since: Some(now),
        last_checked: Some(now),
        passed_once: true,
        measures: metrics.map(measure).collect(),
        ..check
    };
    if checks == Checks::Healthy {
        return run;
    }
    Check {
        status: Status::Unhealthy,
        class: Some(Class::Refused),
        error: Some("10.0.0.7:5432: \"refused\"".to_owned()),
        consecutive_failures: 3,
        because_of: Some("another".to_owned()),
        // One that never passed has measured nothing.
        measures: Vec::new(),
        ..run
    }
}
