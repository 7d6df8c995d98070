//! A verdict with its grounds, before it takes the shape that somebody asked for.

use std::borrow::Cow;

use seaworthy::core::health::{Affects, Check, Overall, Snapshot};
pub(super) use seaworthy::probes::{holds, together};

use super::facts::{Facts, Identity};
use crate::config::Verdict;

/// A verdict with its grounds.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// What was asked about: a verdict, or the name of a check or a group.
    pub(super) subject: Cow<'a, str>,
    /// Which verdict was asked for, if it was one of the four.
    pub(super) verdict: Option<Verdict>,
    /// The verdict in one word.
    pub(super) status: &'static str,
    /// Whether it is a good one.
    pub(super) passes: bool,
    /// The checks it rests on, or all where somebody asked for them.
    pub(super) checks: Vec<&'a Check>,
    /// What `[require]` demands and is not there; only where it decides.
    pub(super) missing: &'a [String],
    pub(super) identity: &'a Identity,
    pub(super) facts: &'a Facts,
    pub(super) verbose: bool,
    /// Whether texts of errors may be shown.
    pub(super) details: bool,
}

impl Verdict {
    /// As it stands in the path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Live => "live",
            Self::Ready => "ready",
            Self::Health => "health",
        }
    }

    /// Every word that it can have, and whether that is a good one.
    pub(crate) fn words(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Startup => &[("started", true), ("starting", false)],
            Self::Live => &[("alive", true), ("dead", false)],
            Self::Ready => &[("ready", true), ("not_ready", false)],
            Self::Health => &[("healthy", true), ("degraded", true), ("unhealthy", false)],
        }
    }

    /// The verdict in one word, and whether it is a good one.
    pub(super) fn judge(self, snapshot: &Snapshot, facts: &Facts) -> (&'static str, bool) {
        let word = |passes, good, bad| (if passes { good } else { bad }, passes);
        match self {
            Self::Startup => word(snapshot.started(facts.state), "started", "starting"),
            Self::Live => word(facts.live.holds(facts.state), "alive", "dead"),
            Self::Ready => word(snapshot.ready(facts.state), "ready", "not_ready"),
            Self::Health => {
                let overall = snapshot.overall(facts.state);
                (overall.name(), overall != Overall::Unhealthy)
            }
        }
    }

    /// Whether `check` belongs to the grounds of this verdict. Liveness has none: nothing else is asked about there.
    pub(super) fn rests_on(self, check: &Check, verbose: bool) -> bool {
        match self {
            Self::Live => false,
            _ if verbose => true,
            Self::Startup => check.gates_start,
            Self::Ready => check.affects == Affects::Ready || check.gates_start,
            Self::Health => check.affects != Affects::Info,
        }
    }

    /// Whether `[require]` decides here.
    pub(super) fn requires(self) -> bool {
        matches!(self, Self::Ready | Self::Health)
    }
}
