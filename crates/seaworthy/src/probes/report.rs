//! A verdict with its grounds, before it takes the shape that somebody asked for.

use std::borrow::Cow;
use std::sync::Arc;

use seaworthy_core::health::{Affects, Check, Overall, Snapshot, Status};

use super::facts::{Facts, Identity};

/// The four questions that a platform asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Whether the start is complete.
    Startup,
    /// Whether the process can do its work.
    Live,
    /// Whether requests should be sent here.
    Ready,
    /// How everything is.
    Health,
}

/// A verdict with its grounds.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was asked about: a verdict, or the name of a check or a group.
    pub subject: Cow<'a, str>,
    /// Which verdict was asked for, if it was one of the four.
    pub verdict: Option<Verdict>,
    /// The verdict in one word.
    pub status: &'static str,
    /// Whether it is a good one.
    pub passes: bool,
    /// The checks it rests on, or all where somebody asked for them.
    pub checks: Vec<&'a Check>,
    /// What `[require]` demands and is not there; only where it decides.
    pub missing: &'a [String],
    /// Who answers.
    pub identity: &'a Identity,
    /// At which moment, in which state.
    pub facts: &'a Facts,
    /// Somebody asked for more.
    pub verbose: bool,
    /// Whether texts of errors may be shown.
    pub details: bool,
}

impl<'a> Report<'a> {
    /// Of one of the four verdicts. `snapshot` is that of the facts, without what the asker left out.
    pub fn of_verdict(
        verdict: Verdict,
        snapshot: &'a Snapshot,
        facts: &'a Facts,
        identity: &'a Identity,
        verbose: bool,
    ) -> Self {
        let (status, passes) = verdict.judge(snapshot, facts);
        Self {
            subject: verdict.name().into(),
            verdict: Some(verdict),
            status,
            passes,
            checks: snapshot.checks.iter().filter(|check| verdict.rests_on(check, verbose)).collect(),
            missing: if verdict.requires() { &snapshot.missing } else { &[] },
            identity,
            facts,
            verbose,
            details: false,
        }
    }

    /// Of these checks, under the name that they were asked for by; `None` where there are none.
    pub fn of_checks(
        name: impl Into<Cow<'a, str>>,
        checks: Vec<&'a Check>,
        facts: &'a Facts,
        identity: &'a Identity,
    ) -> Option<Self> {
        if checks.is_empty() {
            return None;
        }
        let (status, passes) = together(checks.iter().copied());
        Some(Self {
            subject: name.into(),
            verdict: None,
            status,
            passes,
            checks,
            missing: &[],
            identity,
            facts,
            verbose: false,
            details: false,
        })
    }
}

impl Verdict {
    /// As it stands in the path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Live => "live",
            Self::Ready => "ready",
            Self::Health => "health",
        }
    }

    /// Every word that it can have, and whether that is a good one.
    pub fn words(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Startup => &[("started", true), ("starting", false)],
            Self::Live => &[("alive", true), ("dead", false)],
            Self::Ready => &[("ready", true), ("not_ready", false)],
            Self::Health => &[("healthy", true), ("degraded", true), ("unhealthy", false)],
        }
    }

    /// The verdict in one word, and whether it is a good one.
    pub fn judge(self, snapshot: &Snapshot, facts: &Facts) -> (&'static str, bool) {
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
    pub fn rests_on(self, check: &Check, verbose: bool) -> bool {
        match self {
            Self::Live => false,
            _ if verbose => true,
            Self::Startup => check.gates_start,
            Self::Ready => check.affects == Affects::Ready || check.gates_start,
            Self::Health => check.affects != Affects::Info,
        }
    }

    /// Whether `[require]` decides here.
    pub fn requires(self) -> bool {
        matches!(self, Self::Ready | Self::Health)
    }
}

/// The word for several checks taken together, whatever they affect, and whether it is a good one.
pub fn together<'a>(checks: impl IntoIterator<Item = &'a Check>) -> (&'static str, bool) {
    let weight = |status| match status {
        Status::Healthy => 0,
        Status::Degraded => 1,
        // It may turn out to be anything, but an outage that is known says more.
        Status::Pending => 2,
        Status::Unhealthy => 3,
    };
    let worst = checks.into_iter().map(|check| check.status).max_by_key(|status| weight(*status));
    let worst = worst.unwrap_or(Status::Healthy);
    (worst.name(), holds(worst))
}

/// The snapshot without the checks of these names. It is copied only where there are some.
pub fn without(snapshot: &Arc<Snapshot>, names: &[impl AsRef<str>]) -> Arc<Snapshot> {
    if names.is_empty() {
        return snapshot.clone();
    }
    let mut snapshot = Snapshot::clone(snapshot);
    snapshot.checks.retain(|check| !names.iter().any(|name| name.as_ref() == check.name));
    Arc::new(snapshot)
}

/// Whether a check in this state can be relied on.
pub fn holds(status: Status) -> bool {
    matches!(status, Status::Healthy | Status::Degraded)
}
