//! Loads the configuration again: valid as a whole and in force from the next request on, or refused as a whole.

use std::time::Instant;

use seaworthy::core::event::Event;

use super::parts::Parts;
use super::{built, start};
use crate::config::{self, ChangedKey, Problems};
use crate::ops::{self, Probes};

/// Reloads because of `by`. Gives what changed.
pub(crate) fn reload(parts: &mut Parts, by: &str) -> Result<Vec<ChangedKey>, Problems> {
    parts.notifier.reloading();
    let loaded = parts.inputs.with(config::load);
    let outcome = match loaded {
        Ok(loaded) => {
            // A file that is named in it may be missing: then nothing of it comes into force.
            let rebuilt = match parts.board.build(&loaded.config.egress, &parts.sink) {
                Ok(rebuilt) => rebuilt,
                Err(error) => return refused(parts, Problems::from(error.to_string())),
            };
            parts.board.set(rebuilt);
            let changed = config::diff(&parts.loaded, &loaded);
            // Whether requests get spans is a matter of who carries them, and that needs a restart.
            let export = parts.loaded.config.trace.export.take();
            parts.loaded = loaded;
            parts.loaded.config.trace.export = export;
            parts.reloads.done += 1;
            put_in_force(parts);
            report(parts, &changed, by);
            Ok(changed)
        }
        Err(problems) => return refused(parts, problems),
    };
    parts.notifier.ready(parts.lifecycle.state().name());
    outcome
}

fn refused(parts: &mut Parts, problems: Problems) -> Result<Vec<ChangedKey>, Problems> {
    parts.reloads.refused += 1;
    parts.emit(&Event::ConfigRefused { reason: problems.to_string() });
    parts.notifier.ready(parts.lifecycle.state().name());
    Err(problems)
}

/// What needs a restart is not looked at here, and so stays as it was.
fn put_in_force(parts: &mut Parts) {
    let before = ops::believed(parts.health.snapshot(), Instant::now());
    let serving = before.ready(parts.lifecycle.state());
    parts.monitor.set(&parts.loaded.config.checks, serving);
    parts.sampler.set(&parts.loaded.config.probes);
    let config = parts.config();
    parts.logger.configure(&config.log);
    parts.app_metrics.configure(&config.metrics);
    parts.telemetry.configure(&config.log);
    if let Some(gateway) = &parts.gateway {
        gateway.reload(built::worker_settings(config, parts.public()));
    }
    if let Some(ops) = &parts.ops {
        ops.endpoints().set(Probes::of(config));
    }
    if let Some(egress) = &parts.egress {
        egress.missing(config, &*parts.sink);
    } else if !config.egress.is_empty() {
        let text = "[egress] needs a restart: nothing was listened on for it at the start".to_owned();
        parts.emit(&Event::Warning { text });
    }
    let missing = start::missing(config);
    parts.health.update(|snapshot| snapshot.missing = missing);
    start::warn(&parts.loaded, &*parts.sink);
}

fn report(parts: &Parts, changed: &[ChangedKey], by: &str) {
    let keys = |restart: bool| {
        changed.iter().filter(move |key| key.restart == restart).map(|key| key.path.clone()).collect::<Vec<_>>()
    };
    let value = |value: &serde_json::Value| if value.is_null() { "nothing".to_owned() } else { value.to_string() };
    let written = |key: &ChangedKey| format!("{}: {} → {}", key.path, value(&key.old), value(&key.new));
    parts.emit(&Event::ConfigReloaded {
        by: by.to_owned(),
        changed: keys(false),
        needs_restart: keys(true),
        values: changed.iter().map(written).collect(),
    });
}
