//! What is asked of this machine.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_checks::Secret;
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
        let time = self.raw.within.as_ref()?;
        let path = self.key("within");
        let within = self.review.positive(&path, time);
        let grace = self.raw.grace.as_ref().map_or(Duration::ZERO, |grace| grace.0);
        Some(Spec::Heartbeat(heartbeat::Settings { name: self.raw.name.clone(), within, grace }))
    }

    /// A key that is not set is what the check is there to find, so it is no error here.
    pub(super) fn encryption(&mut self) -> Option<Spec> {
        let source = self.raw.key.as_ref()?;
        let unset = matches!(&source.0, SecretSource::Env(name) if self.review.sources.variable(name).is_none());
        let key = if unset { None } else { Some(Secret::new(self.secret("key", "key", source)?)) };
        Some(Spec::Encryption(encryption::Settings { key, environment: self.environment.to_owned() }))
    }
}
