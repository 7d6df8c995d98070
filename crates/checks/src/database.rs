//! What checks of databases have in common: how long a statement may take, and how answers are judged.

use std::time::Duration;

use crate::condition::Condition;
use crate::probe::{Failure, Report};

/// Left for the answer to come back after the server gave up on a statement.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// A catalogue that answers later than this is worth a look.
const SLOW: Duration = Duration::from_millis(100);
const TOO_SLOW: Duration = Duration::from_millis(500);

/// After how long a server shall give up on a statement of a run that lasts `limit`.
pub(crate) fn patience(limit: Duration) -> Duration {
    limit.saturating_sub(ON_THE_WAY).max(Duration::from_millis(1))
}

/// Demands that the first value of what a query gave is like `condition`.
pub(crate) fn demand(condition: &Condition, value: &str) -> Result<(), Failure> {
    if condition.holds(value) {
        return Ok(());
    }
    let shown: String = value.chars().take(100).collect();
    Err(Failure::condition(format!("the query gave {shown:?}, not \"{condition}\"")))
}

/// The query gave nothing that a condition could be held against.
pub(crate) fn no_row() -> Failure {
    Failure::condition("the query gave no row")
}

/// Adds how many connections are in use of how many, and warns if that is more than `warn_percent`.
pub(crate) fn connections(report: Report, used: f64, most: f64, warn_percent: u8) -> Report {
    let percent = if most > 0.0 { used / most * 100.0 } else { 0.0 };
    let mut report = report
        .measure("health_db_connections_max", most)
        .fact("connections", format!("{used} of {most} ({percent:.0}%)"));
    if percent > f64::from(warn_percent) {
        report.warn(format!("{used} of {most} connections are in use ({percent:.0}%)"));
    }
    report
}

/// Judges how long a query of the catalogue took, which shows a server that is slow by itself.
pub(crate) fn catalogue(report: Report, took: Duration) -> Result<Report, Failure> {
    if took > TOO_SLOW {
        return Err(Failure::condition(format!("a query of the catalogue took {took:.0?}")));
    }
    let mut report = report.fact("catalogue query", format!("{:.1} ms", took.as_secs_f64() * 1e3));
    if took > SLOW {
        report.warn(format!("a query of the catalogue took {took:.0?}"));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_to_give_up_before_we_do() {
        assert_eq!(patience(Duration::from_secs(5)), Duration::from_millis(4750));
        assert_eq!(patience(Duration::from_millis(100)), Duration::from_millis(1));
    }

    #[test]
    fn more_than_the_percentage_in_use_is_a_warning_and_exactly_that_is_none() {
        let used = |used| connections(Report::default(), used, 100.0, 80).warning;
        assert_eq!(used(80.0), None);
        assert_eq!(used(81.0).as_deref(), Some("81 of 100 connections are in use (81%)"));
        assert_eq!(connections(Report::default(), 3.0, 0.0, 80).warning, None);
    }

    #[test]
    fn a_catalogue_has_three_verdicts_by_time() {
        let judged = |millis| catalogue(Report::default(), Duration::from_millis(millis)).map(|report| report.warning);
        assert_eq!(judged(100), Ok(None));
        assert_eq!(judged(101), Ok(Some("a query of the catalogue took 101ms".to_owned())));
        assert!(judged(501).is_err());
    }
}
