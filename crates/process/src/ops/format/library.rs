//! The two shapes that services in Rust answer as well: the default one, and that of Kubernetes. The library writes them.

use seaworthy::probes::{Report, format};

use crate::ops::answer::{Answer, JSON, TEXT};

pub(super) fn json(report: &Report<'_>) -> Answer {
    Answer::verdict(report.passes, JSON, format::json::write(report))
}

pub(super) fn kubernetes(report: &Report<'_>) -> Answer {
    Answer::verdict(report.passes, TEXT, format::kubernetes::write(report))
}
