//! What can be wrong before a service runs, and what while it does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::lifecycle::BudgetError;

use crate::health::CheckProblem;
use crate::lifecycle::SignalsError;
use crate::phase::Phase;
use crate::server::ListenerError;

/// One setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the message shows")]
pub enum Problem {
    /// The service has no name.
    #[error("the service has no name: give it the one that logs, metrics and probes shall show")]
    Unnamed,
    /// A check makes no sense.
    #[error(transparent)]
    Check(#[from] CheckProblem),
    /// The parts of the drain are longer than the grace.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The grace leaves no time for requests.
    #[error(
        "the drain leaves no time for requests in flight: the grace is {grace:?}, of which the delay takes {delay:?} and the hooks' \
         reserve {reserve:.1?}; raise the grace (and the platform's) or shorten a part"
    )]
    Starved { grace: Duration, delay: Duration, reserve: Duration },
    /// WebSockets would be cut before they are told to close.
    #[error("WebSockets are closed over {spread:?}, but cut after {timeout:?}: shorten the spread")]
    SpreadOutlastsDrain { spread: Duration, timeout: Duration },
    /// One phase may take longer than all of them have.
    #[error(
        "phase {phase} may take {patience:?}, but {reserve:.1?} are left for all phases together: shorten it, or raise the drain's \
         reserve or grace"
    )]
    PhaseOutlastsReserve { phase: Phase, patience: Duration, reserve: Duration },
    /// All phases together may.
    #[error(
        "the phases may take {sum:?} together, but {reserve:.1?} are left for them: shorten some, or raise the drain's reserve or \
         grace"
    )]
    PhasesOutlastReserve { sum: Duration, reserve: Duration },
    /// A time is zero.
    #[error("{what} is 0s, which no request can keep: use the longest that a good answer takes, and some more")]
    NoTime { what: &'static str },
    /// A request that is in time would be cut by a drain.
    #[error("requests may take {timeout:?}, but a drain cuts them after {drain:?}: shorten the one or raise the other")]
    RequestOutlastsDrain { timeout: Duration, drain: Duration },
    /// The log has no thread to write it, or no output.
    #[error("the log cannot be written: {0}")]
    Log(String),
    /// It never shows a header: a vendor's key is one.
    #[error("spans cannot be exported: {0}")]
    Spans(String),
    /// It never shows the DSN, which holds a key.
    #[error("reports cannot be sent to Sentry: {0}")]
    Sentry(String),
    /// It says which file.
    #[error("{0}")]
    Audit(String),
    /// What there can be one of was set twice.
    #[error("{what} is set twice: leave one of them out")]
    Twice { what: &'static str },
    /// A rate is zero.
    #[error("0 bytes a second are no rate for bodies: use `None` to wait for ever")]
    NoRate,
    /// Nobody could be served.
    #[error("0 connections are allowed, so that nobody could be served")]
    NoConnections,
}

/// All settings that make no sense. Its `Debug` is what a `main` prints that returns it: a line for each of them.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildError {
    problems: Vec<Problem>,
}

impl BuildError {
    pub(super) fn of(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// Each of them.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [problem] = &*self.problems else {
            f.write_str("the service makes no sense:")?;
            return self.problems.iter().try_for_each(|problem| write!(f, "\n- {problem}"));
        };
        fmt::Display::fmt(problem, f)
    }
}

impl std::error::Error for BuildError {}

/// Why [`Production::serve`](super::Production::serve) did not end well. Its `Debug` is what a `main` prints that returns it: the message.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Nothing was served: the process could not have been asked to stop.
    #[error(transparent)]
    Signals(Arc<SignalsError>),
    /// Nothing was served: probes and metrics cannot be.
    #[error("probes and metrics: {0}")]
    Admin(#[from] ListenerError),
    /// The service has ended, and something was lost.
    #[error("{}", Forced { requests_cut: *.requests_cut, failed: *.failed, asked: *.forced })]
    Forced {
        /// Requests that were cut.
        requests_cut: u32,
        /// Hooks that failed or were late, and background work that was left behind.
        failed: u32,
        /// Somebody did not want to wait.
        forced: bool,
    },
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Forced {
    requests_cut: u32,
    failed: u32,
    asked: bool,
}

impl fmt::Display for Forced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests_cut, failed, asked } = self;
        f.write_str(if *asked { "the shutdown was forced" } else { "the shutdown was not graceful" })?;
        write!(f, ": {requests_cut} requests were cut, {failed} hooks or pieces of background work failed")
    }
}
