//! A breaker as it is shown: by `GET /breakers`, `seaworthy breakers` and `seaworthy status`.

use seaworthy::breaker::{Snapshot, Totals};
use seaworthy::bulkhead::Occupancy;
use serde::{Deserialize, Serialize};

use super::service::Standing;

/// A breaker and what is around it. It shows no address: who may see probes may see this.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BreakerView {
    pub(crate) name: String,
    /// `closed`, `half_open` or `open`.
    pub(crate) state: String,
    /// Who decides: `automatic`, unless somebody overruled the calls.
    pub(crate) mode: String,
    /// Seconds until a call may go out; none where that is now.
    pub(crate) retry_after: Option<f64>,
    /// Calls, failures and slow calls within the window.
    pub(crate) calls: u32,
    pub(crate) failures: u32,
    pub(crate) slow: u32,
    /// Probes that are out.
    pub(crate) probes: u32,
    /// Since the start.
    pub(crate) opened: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) refused: u64,
    pub(crate) retries: u64,
    pub(crate) retry_budget_exhausted: u64,
    /// Calls that had a second attempt, and those whose answer was that of the second.
    pub(crate) hedges: u64,
    pub(crate) hedges_won: u64,
    /// Calls that run, and that wait for a place.
    pub(crate) running: u32,
    pub(crate) waiting: u32,
}

impl BreakerView {
    pub(super) fn of(name: &str, standing: &Standing, places: Occupancy) -> Self {
        let Standing { breaker, retries, hedges } = standing;
        let Snapshot { state, mode, calls, failures, slow, probes, retry_after, opened, totals } = *breaker;
        let Totals { succeeded, failed, refused, .. } = totals;
        let hedges = hedges.unwrap_or_default();
        Self {
            name: name.to_owned(),
            state: state.name().to_owned(),
            mode: mode.name().to_owned(),
            retry_after: retry_after.map(|after| after.as_secs_f64()),
            calls,
            failures,
            slow,
            probes,
            opened,
            succeeded,
            failed,
            refused,
            retries: retries.retries,
            retry_budget_exhausted: retries.exhausted,
            hedges: hedges.begun,
            hedges_won: hedges.won,
            running: places.running,
            waiting: places.waiting,
        }
    }

    /// Whether calls are kept from going out.
    pub(crate) fn is_open(&self) -> bool {
        self.state != "closed" || self.mode == "forced-open"
    }
}
