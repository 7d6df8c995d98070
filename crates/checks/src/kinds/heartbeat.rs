//! `heartbeat`: somebody said in time that it still works.

use std::time::Duration;

use jiff::Timestamp;

use crate::heartbeat::{Schedule, Trouble};
use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::Surroundings;

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is called: the name of the check.
    pub name: String,
    pub schedule: Schedule,
    /// How much later it may be.
    pub grace: Duration,
    /// How long it may take from its start, where it says when that is.
    pub max_duration: Option<Duration>,
}

/// Looks when the last sign of life came.
#[derive(Debug)]
pub(super) struct Heartbeat {
    settings: Settings,
    surroundings: Surroundings,
}

impl Heartbeat {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        surroundings.heartbeats.expect(&settings.name);
        Self { settings, surroundings }
    }

    fn look(&self, now: Timestamp) -> Result<Report, Failure> {
        let Settings { name, schedule, grace, max_duration } = &self.settings;
        let Some(pulse) = self.surroundings.heartbeats.pulse(name) else { return Ok(Report::default()) };
        let mut measures = Report::default();
        if let Some(last) = pulse.last {
            let age = now.duration_since(last).as_secs_f64().max(0.0);
            measures = measures.measure("health_heartbeat_age_seconds", age);
        }
        if let Some(took) = pulse.took {
            measures = measures.measure("health_heartbeat_duration_seconds", took.as_secs_f64());
        }
        let Some(trouble) = pulse.trouble(schedule, *grace, *max_duration, now) else { return Ok(measures) };
        let message = match trouble {
            Trouble::Failed { ago, code: None } => format!("it said {:?} ago that it failed", whole(ago)),
            Trouble::Failed { ago, code: Some(code) } => {
                format!("it said {:?} ago that it failed, with exit code {code}", whole(ago))
            }
            Trouble::TooLong { ago } => format!("it began {:?} ago and has not ended", whole(ago)),
            Trouble::Late { ago, ever: true, .. } => {
                format!("the last sign of life came {:?} ago; one is due {schedule}", whole(ago))
            }
            Trouble::Late { ago, ever: false, .. } => {
                format!("no sign of life since it is waited for, {:?} ago; one is due {schedule}", whole(ago))
            }
        };
        Err(Failure { measures: measures.measures, ..Failure::condition(message) })
    }
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

impl Probe for Heartbeat {
    fn run(&mut self, _: Duration) -> Running<'_> {
        let result = self.look(Timestamp::now());
        Box::pin(std::future::ready(result))
    }
}
