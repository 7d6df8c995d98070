//! `heartbeat`: somebody said in time that it still works.

use std::time::{Duration, Instant};

use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::{Beat, Surroundings};

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is called: the name of the check.
    pub name: String,
    /// How long after one sign of life the next is due.
    pub within: Duration,
    /// How much later it may be.
    pub grace: Duration,
}

/// Looks when the last sign of life came. Before the first one, time counts from the beginning of the check.
#[derive(Debug)]
pub(super) struct Heartbeat {
    settings: Settings,
    surroundings: Surroundings,
    began: Instant,
}

impl Heartbeat {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        surroundings.heartbeats.expect(&settings.name);
        Self { settings, surroundings, began: Instant::now() }
    }

    fn look(&self, now: Instant) -> Result<Report, Failure> {
        let Settings { name, within, grace } = &self.settings;
        let last = self.surroundings.heartbeats.last(name);
        let since = last.map_or(self.began, |beat| beat.at);
        let ago = now.saturating_duration_since(since);
        if ago > within.saturating_add(*grace) {
            let what = if last.is_some() { "the last sign of life came" } else { "no sign of life since the start," };
            let message = format!("{what} {:.0?} ago; one is due every {within:?}", whole(ago));
            return Err(Failure::condition(message));
        }
        Ok(match last {
            None => Report::default(),
            Some(Beat { took, .. }) => {
                let report = Report::default().measure("health_heartbeat_age_seconds", ago.as_secs_f64());
                match took {
                    Some(took) => report.measure("health_heartbeat_duration_seconds", took.as_secs_f64()),
                    None => report,
                }
            }
        })
    }
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

impl Probe for Heartbeat {
    fn run(&mut self, _: Duration) -> Running<'_> {
        let result = self.look(Instant::now());
        Box::pin(std::future::ready(result))
    }
}
