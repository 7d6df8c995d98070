//! What a breaker says, and what is said of it.

use std::time::{Duration, Instant};

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls go through.
    Closed,
    /// A few calls go through, to see whether it is over.
    HalfOpen,
    /// No call goes through.
    Open,
}

impl State {
    /// As it stands in logs and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// As it stands in the metric `circuit_breaker_state`.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// The calls.
    #[default]
    Automatic,
    /// Somebody said that no call shall go through.
    ForcedOpen,
    /// Every call goes through, and none is counted for a verdict.
    Disabled,
    /// Every call goes through; they are counted, and the state never changes.
    MetricsOnly,
}

impl Mode {
    /// As it stands in the configuration and in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::ForcedOpen => "forced-open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics-only",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Success,
    Failure,
    /// It says nothing of whether the service is well: an error of the caller's own, say.
    Ignored,
    /// Nobody waited for its end.
    Cancelled,
}

/// What a breaker did so far. None of it is ever lost, whatever the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub succeeded: u64,
    pub failed: u64,
    /// Of those that succeeded or failed.
    pub slow: u64,
    pub ignored: u64,
    pub cancelled: u64,
    pub refused: u64,
}

/// Leave to make one call. It goes back by [`finish`](super::Breaker::finish).
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    pub(super) generation: u64,
    pub(super) started: Instant,
    pub(super) probe: Option<u64>,
}

/// What becomes of a call.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    Admitted(Permit),
    Refused {
        /// When a call may be admitted again.
        retry_after: Duration,
    },
}

/// The state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub from: State,
    pub to: State,
    /// What it changed for.
    pub cause: Cause,
    /// For how long it is open, where it is.
    pub open_for: Option<Duration>,
}

/// What a state changed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// So many failures within the window.
    Failures { count: u32, within: Duration },
    /// So many of a hundred calls failed.
    FailureRate { percent: u8, calls: u32 },
    /// So many of a hundred calls were slow.
    SlowRate { percent: u8, calls: u32 },
    /// A probe failed.
    ProbeFailed,
    /// As many probes succeeded as are needed.
    ProbesSucceeded,
    /// The open time is over.
    OpenTimeOver,
    /// Somebody said so.
    Reset,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failures { count, within } => write!(f, "{count} failures within {within:?}"),
            Self::FailureRate { percent, calls } => write!(f, "{percent}% of {calls} calls failed"),
            Self::SlowRate { percent, calls } => write!(f, "{percent}% of {calls} calls were slow"),
            Self::ProbeFailed => f.write_str("a probe failed"),
            Self::ProbesSucceeded => f.write_str("probes succeeded"),
            Self::OpenTimeOver => f.write_str("the open time is over"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

/// A decision, and what it changed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Admission {
    pub decision: Decision,
    pub transition: Option<Transition>,
}

/// What can be told of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    pub state: State,
    pub mode: Mode,
    /// Within the window of the rates, or of the failures where there are no rates.
    pub calls: u32,
    pub failures: u32,
    pub slow: u32,
    /// Leases that are out.
    pub probes: u32,
    /// Until a call may be admitted; `None` where that is now.
    pub retry_after: Option<Duration>,
    /// Openings so far.
    pub opened: u64,
    pub totals: Totals,
}
