//! The two shapes that services in Rust answer as well: the default one, and that of Kubernetes. The library writes them.

use seaworthy::probes;

use crate::config::Verdict;
use crate::ops::answer::{Answer, JSON, TEXT};
use crate::ops::facts::Facts;
use crate::ops::report::Report;

pub(super) fn json(report: &Report<'_>) -> Answer {
    Answer::verdict(report.passes, JSON, as_the_library_sees_it(report, probes::format::json::write))
}

pub(super) fn kubernetes(report: &Report<'_>) -> Answer {
    Answer::verdict(report.passes, TEXT, as_the_library_sees_it(report, probes::format::kubernetes::write))
}

fn as_the_library_sees_it<T>(report: &Report<'_>, write: impl FnOnce(&probes::Report<'_>) -> T) -> T {
    let &Facts { now, uptime, state, live, ref snapshot, .. } = report.facts;
    let facts = probes::Facts { now, uptime, state, live, snapshot: snapshot.clone() };
    write(&probes::Report {
        subject: (&*report.subject).into(),
        verdict: report.verdict.map(verdict),
        status: report.status,
        passes: report.passes,
        checks: report.checks.clone(),
        missing: report.missing,
        identity: report.identity,
        facts: &facts,
        verbose: report.verbose,
        details: report.details,
    })
}

fn verdict(verdict: Verdict) -> probes::Verdict {
    match verdict {
        Verdict::Startup => probes::Verdict::Startup,
        Verdict::Live => probes::Verdict::Live,
        Verdict::Ready => probes::Verdict::Ready,
        Verdict::Health => probes::Verdict::Health,
    }
}
