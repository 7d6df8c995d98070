//! `upstream`: how the requests fared that really came, as the gateway counted them. Nothing is asked.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::{Surroundings, Traffic};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Of which upstream, by the name that logs and metrics show; `None` means of all.
    pub upstream: Option<String>,
    /// How far back requests count.
    pub window: Duration,
    /// So many requests must have come, or nothing is said.
    pub min_requests: u64,
    /// More failures than this are a warning, in percent.
    pub warn_percent: u8,
    /// More failures than this are a failure, in percent.
    pub fail_percent: u8,
}

/// Compares what was counted now with what was counted a window ago. Holds as many counts as there are runs in a window.
#[derive(Debug)]
pub(super) struct Upstream {
    settings: Settings,
    surroundings: Surroundings,
    /// The oldest in front: the last one from before the window, and those in it.
    counts: VecDeque<(Instant, Traffic)>,
}

/// However often it runs.
const MOST: usize = 1024;

impl Upstream {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings, counts: VecDeque::new() }
    }

    fn look(&mut self, now: Instant) -> Result<Report, Failure> {
        let Settings { upstream, window, min_requests, warn_percent, fail_percent } = &self.settings;
        let counted = self.surroundings.gateway.traffic(upstream.as_deref());
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= *window;
        while self.counts.get(1).is_some_and(|(at, _)| is_old(at)) || self.counts.len() >= MOST {
            self.counts.pop_front();
        }
        // What came before the first run is not known to have come within the window.
        let before = self.counts.front().map_or(counted, |(_, before)| *before);
        self.counts.push_back((now, counted));
        // A worker that was lost took no counts along, but whoever counts may have begun anew.
        let requests = counted.requests.saturating_sub(before.requests);
        let failures = counted.failures.saturating_sub(before.failures).min(requests);
        let percent = if requests == 0 { 0.0 } else { failures as f64 / requests as f64 * 100.0 };
        let mut report = Report::default()
            .measure("health_upstream_requests", requests as f64)
            .measure("health_upstream_failed_percent", percent)
            .measure("health_upstream_in_flight", counted.in_flight as f64);
        let message = || format!("{failures} of {requests} requests failed within {window:?}");
        if requests < *min_requests || percent <= f64::from(*warn_percent) {
            return Ok(report);
        }
        if percent > f64::from(*fail_percent) {
            return Err(Failure { measures: report.measures, ..Failure::condition(message()) });
        }
        report.warn(message());
        Ok(report)
    }
}

impl Probe for Upstream {
    fn run(&mut self, _: Duration) -> Running<'_> {
        let result = self.look(Instant::now());
        Box::pin(std::future::ready(result))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use seaworthy_core::health::Class;

    use super::*;
    use crate::surroundings::Gateway;
    use crate::surroundings::tests::nowhere;

    #[derive(Debug, Default)]
    struct Counter(Mutex<Traffic>);

    impl Gateway for Counter {
        fn traffic(&self, upstream: Option<&str>) -> Traffic {
            assert_eq!(upstream, Some("shop:80"));
            *self.0.lock().unwrap()
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn watched() -> (Arc<Counter>, Upstream) {
        let counter = Arc::new(Counter::default());
        let settings = Settings {
            upstream: Some("shop:80".to_owned()),
            window: MINUTE,
            min_requests: 20,
            warn_percent: 10,
            fail_percent: 50,
        };
        let surroundings = Surroundings { gateway: counter.clone(), ..nowhere() };
        (counter, Upstream::new(settings, surroundings))
    }

    impl Counter {
        fn count(&self, requests: u64, failures: u64) {
            let mut traffic = self.0.lock().unwrap();
            traffic.requests += requests;
            traffic.failures += failures;
        }
    }

    #[test]
    fn failures_count_against_the_requests_of_the_same_window() {
        let (counter, mut upstream) = watched();
        let start = Instant::now();
        counter.count(10_000, 10_000);
        assert_eq!(upstream.look(start).unwrap().warning, None, "nobody knows when those came");
        counter.count(100, 10);
        assert_eq!(upstream.look(start + MINUTE / 2).unwrap().warning, None, "a tenth is allowed");
        counter.count(100, 30);
        let warning = upstream.look(start + MINUTE * 3 / 4).unwrap().warning;
        assert_eq!(warning.as_deref(), Some("40 of 200 requests failed within 60s"));
        counter.count(200, 200);
        let failure = upstream.look(start + MINUTE * 4 / 5).unwrap_err();
        assert_eq!(failure.class, Class::Condition);
        assert_eq!(failure.message, "240 of 400 requests failed within 60s");
        assert!((failure.measures[1].value - 60.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let (counter, mut upstream) = watched();
        let start = Instant::now();
        upstream.look(start).unwrap();
        counter.count(100, 100);
        assert!(upstream.look(start + Duration::from_secs(1)).is_err());
        assert!(upstream.look(start + MINUTE / 2).is_err());
        assert!(upstream.look(start + MINUTE + Duration::from_secs(2)).is_ok());
        assert!(upstream.counts.len() <= 3);
    }

    #[test]
    fn too_few_requests_say_nothing() {
        let (counter, mut upstream) = watched();
        let start = Instant::now();
        upstream.look(start).unwrap();
        counter.count(19, 19);
        assert_eq!(upstream.look(start + MINUTE / 4).unwrap().warning, None);
        counter.count(1, 1);
        assert!(upstream.look(start + MINUTE / 2).is_err());
    }

    #[test]
    fn however_often_it_runs_it_remembers_only_so_much() {
        let (_, mut upstream) = watched();
        let start = Instant::now();
        for run in 0..3000 {
            upstream.look(start + Duration::from_millis(run)).unwrap();
        }
        assert_eq!(upstream.counts.len(), MOST);
    }
}
