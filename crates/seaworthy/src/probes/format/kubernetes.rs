//! The shape of Kubernetes' own components: `ok`, or a line a check
//! (<https://kubernetes.io/docs/reference/using-api/health-checks/>).
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
//! assert!(format::kubernetes::write(&report).starts_with("[-]lifecycle failed: draining"));
//! ```

use std::fmt::Write as _;

use crate::probes::{Report, Verdict, holds};

/// The body.
pub fn write(report: &Report<'_>) -> String {
    if report.passes && !report.verbose {
        return "ok".to_owned();
    }
    let mut lines = String::new();
    let mut line = |name: &str, problem: Option<&str>| {
        // Writing to a string cannot fail.
        let _ = match problem {
            None => writeln!(lines, "[+]{} ok", plain(name)),
            Some(problem) => writeln!(lines, "[-]{} failed: {}", plain(name), plain(problem)),
        };
    };
    let state = report.facts.state;
    match report.verdict {
        Some(Verdict::Live) => {
            line("workers", (!report.facts.live.workers_turn).then_some("one of them does not turn"));
            line("lifecycle", (!state.answers().live).then_some(state.name()));
        }
        Some(Verdict::Startup) => line("lifecycle", (!state.answers().startup).then_some(state.name())),
        Some(Verdict::Ready | Verdict::Health) => line("lifecycle", (!state.answers().ready).then_some(state.name())),
        None => {}
    }
    if !report.missing.is_empty() {
        line("config", Some(&format!("missing {}", report.missing.join(", "))));
    }
    for check in &report.checks {
        let class = check.class.map_or(check.status.name(), |class| class.name());
        let problem = check.error.as_deref().filter(|_| report.details).unwrap_or(class);
        line(&check.name, (!holds(check.status)).then_some(problem));
    }
    let outcome = if report.passes { "passed" } else { "failed" };
    let _ = writeln!(lines, "{} check {outcome}", plain(&report.subject));
    lines
}

/// One line, whatever a name or an error holds.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}
