//! Variables of others that mean keys of ours: `OTEL_*` and `SENTRY_*`.
//!
//! The program reads them too, so what cannot be read is no error: it is warned about and passed over.

use seaworthy::otlp::{self, Found};
use seaworthy::sentry;
use serde_json::Value;

use super::{Problem, Sources, Variables};
use crate::config::tree::Origin;
use crate::config::units::duration;

impl Variables {
    pub(super) fn telemetry(&mut self, sources: &Sources<'_>) {
        self.traces(&otlp::Environment::read(|name| sources.variable(name).map(str::to_owned)));
        let sentry = sentry::Environment::read(|name| sources.variable(name).map(str::to_owned));
        let sentry::Environment { dsn, environment, release, traces_sample_rate, misread, .. } = sentry;
        for (key, variable, value) in [
            ("dsn", "SENTRY_DSN", dsn),
            ("environment", "SENTRY_ENVIRONMENT", environment),
            ("release", "SENTRY_RELEASE", release),
        ] {
            if let Some(value) = value {
                self.put(["sentry", key], variable, value);
            }
        }
        if let Some(rate) = traces_sample_rate {
            self.put(["sentry", "traces-sample-rate"], "SENTRY_TRACES_SAMPLE_RATE", rate);
        }
        for (variable, problem) in misread {
            self.misread(variable, problem);
        }
    }

    fn traces(&mut self, environment: &otlp::Environment) {
        if let Some(variable) = environment.disabled {
            self.put(["trace", "endpoint"], variable, "off");
        } else if let Some(Found { value, variable }) = &environment.endpoint {
            self.put(["trace", "endpoint"], variable, value.as_str());
        }
        if let Some(Found { value, variable }) = &environment.protocol {
            self.put(["trace", "protocol"], variable, value.name());
        }
        let tables = [("headers", &environment.headers), ("resource", &environment.resource)];
        for (table, found) in tables {
            for (name, value) in found.iter().flat_map(|found| &found.value) {
                let variable = found.as_ref().map_or("", |found| found.variable);
                self.put(["trace", table, name], variable, value.as_str());
            }
        }
        if let Some(Found { value, variable }) = &environment.service {
            self.put(["trace", "resource", "service.name"], variable, value.as_str());
        }
        if let Some(Found { value, variable }) = &environment.certificate {
            self.put(["trace", "ca-file"], variable, value.as_str());
        }
        for (key, found) in [("timeout", &environment.timeout), ("delay", &environment.delay)] {
            if let Some(Found { value, variable }) = found {
                self.put(["trace", key], variable, duration::written(*value));
            }
        }
        for (key, found) in [("queue", &environment.queue), ("batch", &environment.batch)] {
            if let Some(Found { value, variable }) = found {
                self.put(["trace", key], variable, *value);
            }
        }
        if let Some(Found { value, variable }) = &environment.sampler {
            self.put(["trace", "sampler"], variable, *value);
        }
        if let Some(Found { value, variable }) = &environment.ratio {
            self.put(["trace", "ratio"], variable, *value);
        }
        for misread in &environment.misread {
            self.misread(misread.variable, &misread.problem);
        }
    }

    fn put<const N: usize>(&mut self, path: [&str; N], variable: &str, value: impl Into<Value>) {
        let path = path.map(str::to_owned);
        self.tree.set(&path, &Origin::Variable(variable.to_owned()), value.into());
    }

    fn misread(&mut self, variable: &str, problem: &str) {
        let message = format!("{problem}; it is passed over");
        self.warnings.push(Problem::new(Origin::Variable(variable.to_owned()), "", message));
    }
}
