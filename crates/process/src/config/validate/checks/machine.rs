//! What is asked of this machine.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_checks::Secret;
use seaworthy_checks::heartbeat::{Schedule, ScheduleError};
use seaworthy_checks::kinds::{Spec, command, disk, encryption, heartbeat, memory};

use super::Entry;
use crate::config::tree;
use crate::config::units::SecretSource;

impl Entry<'_, '_> {
    pub(super) fn memory(&self) -> Spec {
        Spec::Memory(memory::Settings { warn_percent: self.warn_percent(90) })
    }

    pub(super) fn disk(&mut self) -> Option<Spec> {
        Some(Spec::Disk(disk::Settings {
            path: self.raw.path.as_ref()?.0.0.clone(),
            min_free: self.raw.min_free.as_ref().map(|size| size.0.0),
            warn_percent: self.warn_percent(90),
            write_test: self.raw.write_test.unwrap_or(false),
        }))
    }

    pub(super) fn command(&mut self) -> Option<Spec> {
        let mut env = BTreeMap::new();
        for (name, source) in &self.raw.env {
            let value = self.secret(&tree::join("env", name), name, source)?;
            env.insert(name.clone(), Secret::new(value));
        }
        Some(Spec::Command(command::Settings {
            command: self.raw.command.as_ref()?.0.0.clone(),
            env,
            exit_code: i32::from(self.raw.exit_code.unwrap_or(0)),
            condition: self.condition()?,
        }))
    }

    pub(super) fn heartbeat(&mut self) -> Option<Spec> {
        let raw = self.raw;
        let schedule = match (&raw.within, &raw.schedule) {
            (Some(within), _) => {
                if raw.time_zone.is_some() {
                    let hint = "write schedule in place of within, or take it out";
                    self.refuse("time-zone", "has no schedule to be for", hint);
                }
                let path = self.key("within");
                Some(Schedule::Every(self.review.positive(&path, within)))
            }
            (None, Some(expression)) => {
                let schedule = Schedule::cron(expression, raw.time_zone.as_deref().unwrap_or("UTC"));
                let complain = |error: ScheduleError| {
                    let of_zone = matches!(error, ScheduleError::Zone(_));
                    self.complain(if of_zone { "time-zone" } else { "schedule" }, &error);
                };
                schedule.map_err(complain).ok()
            }
            (None, None) => None,
        };
        let max_duration = raw.max_duration.as_ref().map(|time| {
            let path = self.key("max-duration");
            self.review.positive(&path, time)
        });
        let grace = raw.grace.as_ref().map_or(Duration::ZERO, |grace| grace.0);
        Some(Spec::Heartbeat(heartbeat::Settings { name: raw.name.clone(), schedule: schedule?, grace, max_duration }))
    }

    /// By what a sign of life is taken from the public.
    pub(super) fn token(&mut self) -> Option<crate::config::Secret> {
        let source = self.raw.token.as_ref()?;
        let path = self.key("token");
        self.review.token(&path, source)
    }

    /// A key that is not set is what the check is there to find, so it is no error here.
    pub(super) fn encryption(&mut self) -> Option<Spec> {
        let source = self.raw.key.as_ref()?;
        let unset = matches!(&source.0, SecretSource::Env(name) if self.review.sources.variable(name).is_none());
        let key = if unset { None } else { Some(Secret::new(self.secret("key", "key", source)?)) };
        Some(Spec::Encryption(encryption::Settings { key, environment: self.environment.to_owned() }))
    }
}
