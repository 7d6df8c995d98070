//! Spans, reports and the audit trail.

use std::collections::BTreeMap;

use seaworthy::client::Roots;
use seaworthy::core::trace::Sampler;
use seaworthy::otlp::{Protocol, Settings};
use seaworthy::sentry::Dsn;

use super::Review;
use crate::config::raw::{self, OtlpProtocol};
use crate::config::tree;
use crate::config::units::{As, FilePath, OrOff, Secret, SecretSource};
use crate::config::validated::{Audit, Environment, Export, Sentry, Trace};

impl Review<'_> {
    pub(super) fn trace(&mut self, raw: &mut raw::Trace) -> Trace {
        let ratio = raw.ratio.0.0;
        // The kinds of both keys allow nothing else.
        let sampler = Sampler::from_name(raw.sampler.name(), ratio).unwrap_or_default();
        if self.given("trace.ratio") && !raw.sampler.by_ratio() {
            let message = format!("has no effect with the sampler {}", raw.sampler.name());
            self.warn("trace.ratio", message, "set trace.sampler to parentbased_traceidratio");
        }
        let endpoint = raw.endpoint.clone().and_then(|As(endpoint)| endpoint.on());
        raw.endpoint.get_or_insert(As(OrOff::Off));
        let authorities = self.authorities("trace.ca-file", raw.ca_file.as_ref());
        let headers = self.headers(&raw.headers);
        self.positive("trace.timeout", &raw.timeout);
        self.positive("trace.delay", &raw.delay);
        let (queue, batch) = (raw.queue.get(), raw.batch.get());
        if batch > queue {
            let message = format!("does not fit: trace.batch is {batch}, trace.queue is {queue}");
            self.refuse(&["trace.batch", "trace.queue"], message, "make the queue at least as long as a batch");
        }
        let export = endpoint.map(|endpoint| Export {
            endpoint: endpoint.0,
            protocol: match raw.protocol {
                OtlpProtocol::Http => Protocol::Http,
                OtlpProtocol::Grpc => Protocol::Grpc,
            },
            headers,
            timeout: raw.timeout.0,
            authorities,
            on_error: raw.on_error,
            resource: raw.resource.clone(),
            queue,
            batch,
            delay: raw.delay.0,
        });
        Trace { begin: raw.begin, sampler, export }
    }

    /// The headers of requests to the collector. A value is never shown, not even where it is wrong.
    fn headers(&mut self, raw: &BTreeMap<String, As<SecretSource>>) -> BTreeMap<String, Secret> {
        let mut found = BTreeMap::new();
        for (name, source) in raw {
            let path = tree::join("trace.headers", name);
            let Some(secret) = self.found(&path, name, &source.0) else { continue };
            let allowed = Settings::new("http://collector", Protocol::Http, "")
                .and_then(|settings| settings.header(name, secret.expose()));
            if allowed.is_err() {
                let hint = "a name has letters, digits and -, a value visible ASCII";
                self.refuse(&[&path], "cannot be sent as a header", hint);
            }
            found.insert(name.clone(), secret);
        }
        found
    }

    pub(super) fn sentry(
        &mut self,
        raw: &mut raw::Sentry,
        environment: &Environment,
        release: Option<String>,
    ) -> Option<Sentry> {
        let authorities = self.authorities("sentry.ca-file", raw.ca_file.as_ref());
        let environment = raw.environment.get_or_insert_with(|| environment.to_string()).clone();
        if raw.release.is_none() {
            raw.release = release;
        }
        let check_failed_after = self.positive("sentry.check-failed-after", &raw.check_failed_after);
        let dsn = self.found("sentry.dsn", "dsn", &raw.dsn.as_ref()?.0)?;
        match dsn.expose().parse::<Dsn>() {
            Ok(dsn) => Some(Sentry {
                dsn,
                environment,
                release: raw.release.clone(),
                traces_sample_rate: raw.traces_sample_rate.0.0,
                check_failed_after,
                authorities,
            }),
            Err(error) => {
                let hint = "copy it from the settings of the project in Sentry: https://KEY@HOST/PROJECT";
                self.refuse(&["sentry.dsn"], format!("is no DSN: {error}"), hint);
                None
            }
        }
    }

    pub(super) fn audit(&mut self, raw: &raw::Audit) -> Option<Audit> {
        let key = raw.key.as_ref().and_then(|key| self.found("audit.key", "key", &key.0));
        if raw.path.is_none() && key.is_some() {
            self.warn("audit.key", "has no effect without a trail", "set audit.path");
        }
        raw.path.as_ref().map(|path| Audit { path: path.0.0.clone(), key })
    }

    /// A secret, noted so that a reload sees when it changes.
    pub(super) fn found(&mut self, path: &str, name: &str, source: &SecretSource) -> Option<Secret> {
        match self.secret(path, name, source) {
            Ok(secret) => {
                self.secrets.insert(path.to_owned(), secret.clone());
                Some(secret)
            }
            Err(complaint) => {
                self.refuse(&[path], complaint.message, complaint.hint.unwrap_or_default());
                None
            }
        }
    }

    /// The content of a CA file, which must hold certificates.
    fn authorities(&mut self, path: &str, file: Option<&As<FilePath>>) -> Option<String> {
        let file = &file?.0.0;
        let name = file.display();
        let read =
            (self.sources.read)(file).map_err(|error| format!("names the file {name}, which cannot be read: {error}"));
        let checked = read.and_then(|pem| match Roots::none().and_pem(pem.as_bytes()) {
            Ok(_) => Ok(pem),
            Err(error) => Err(format!("names the file {name}, which {error}")),
        });
        checked.map_err(|message| self.refuse(&[path], message, "name a file with certificates in PEM")).ok()
    }
}
