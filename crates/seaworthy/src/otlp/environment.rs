//! What the variables `OTEL_*` say of traces.
//!
//! # Rules
//!
//! - A variable for traces alone (`OTEL_EXPORTER_OTLP_TRACES_…`) comes before the one for all signals, and an empty one is none.
//! - The endpoint for all signals is a base to which `v1/traces` is added for HTTP; the one for traces is taken as it stands.
//! - The names are not ours alone. What cannot be read is reported and passed over, and never stops a service.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> and
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.
//!
//! ```
//! use seaworthy::otlp::Environment;
//!
//! let variables = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://collector:4318".to_owned());
//! let found = Environment::read(variables);
//! assert_eq!(found.endpoint.unwrap().value, "http://collector:4318/v1/traces");
//! ```

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use seaworthy_core::trace::Sampler;

use super::settings::Protocol;
use super::{Settings, SettingsError};
use crate::client::Roots;

/// A value, and the variable that said it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// What it says.
    pub value: T,
    /// Which one says it.
    pub variable: &'static str,
}

/// A variable that says nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}; it is passed over")]
pub struct Misread {
    /// Which one says it.
    pub variable: &'static str,
    /// What is wrong with it, and what to write instead.
    pub problem: String,
}

/// What the environment says of traces. What it does not say is `None` or empty.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Environment {
    /// `OTEL_SDK_DISABLED`, or `OTEL_TRACES_EXPORTER` that names no OTLP: nothing is exported. The variable that
    /// says so.
    pub disabled: Option<&'static str>,
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`: where spans go, with the path of traces.
    pub endpoint: Option<Found<String>>,
    /// `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub protocol: Option<Found<Protocol>>,
    /// Keys of vendors: secrets.
    pub headers: Option<Found<Vec<(String, String)>>>,
    /// `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT`: of one request to the collector, in milliseconds.
    pub timeout: Option<Found<Duration>>,
    /// The file of the authorities to believe.
    pub certificate: Option<Found<String>>,
    /// `OTEL_SERVICE_NAME`.
    pub service: Option<Found<String>>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub resource: Option<Found<Vec<(String, String)>>>,
    /// `OTEL_TRACES_SAMPLER`, by its name.
    pub sampler: Option<Found<&'static str>>,
    /// `OTEL_TRACES_SAMPLER_ARG`, where the sampler goes by a ratio.
    pub ratio: Option<Found<f64>>,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`: spans that may wait.
    pub queue: Option<Found<u32>>,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`: spans that go at once.
    pub batch: Option<Found<u32>>,
    /// `OTEL_BSP_SCHEDULE_DELAY`: how long the first of them waits at most, in milliseconds.
    pub delay: Option<Found<Duration>>,
    /// Variables that say nothing that can be used.
    pub misread: Vec<Misread>,
}

/// Headers stay out: a vendor's key is one.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("disabled", &self.disabled)
            .field("protocol", &self.protocol)
            .field("sampler", &self.sampler)
            .field("misread", &self.misread)
            .finish_non_exhaustive()
    }
}

struct Reader<V> {
    variable: V,
    misread: Vec<Misread>,
}

impl<V: Fn(&str) -> Option<String>> Reader<V> {
    /// The first of `names` that is set.
    fn text(&self, names: &[&'static str]) -> Option<Found<String>> {
        names.iter().find_map(|&variable| {
            let value = (self.variable)(variable)?.trim().to_owned();
            (!value.is_empty()).then_some(Found { value, variable })
        })
    }

    fn parsed<T>(
        &mut self,
        names: &[&'static str],
        parse: impl FnOnce(&str) -> Result<T, Cow<'static, str>>,
    ) -> Option<Found<T>> {
        let Found { value, variable } = self.text(names)?;
        match parse(&value) {
            Ok(value) => Some(Found { value, variable }),
            Err(problem) => {
                self.misread.push(Misread { variable, problem: problem.into_owned() });
                None
            }
        }
    }
}

impl Environment {
    /// Reads it through `variable`, which knows the values.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader { variable, misread: Vec::new() };
        let sdk = reader.text(&["OTEL_SDK_DISABLED"]).filter(|on| on.value.eq_ignore_ascii_case("true"));
        let exporters = reader.text(&["OTEL_TRACES_EXPORTER"]);
        let others = exporters.filter(|names| !names.value.split(',').any(|name| name.trim() == "otlp"));
        let disabled = sdk.or(others).map(|found| found.variable);
        let protocol =
            reader.parsed(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"], |text| match text {
                "grpc" => Ok(Protocol::Grpc),
                "http/protobuf" => Ok(Protocol::Http),
                _ => Err(format!("is {text:?}: use grpc or http/protobuf").into()),
            });
        let http = protocol.as_ref().is_none_or(|protocol| protocol.value == Protocol::Http);
        let endpoint = reader.text(&["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]).or_else(|| {
            let base = reader.text(&["OTEL_EXPORTER_OTLP_ENDPOINT"])?;
            let value = if http { format!("{}/v1/traces", base.value.trim_end_matches('/')) } else { base.value };
            Some(Found { value, ..base })
        });
        // The text of headers is never quoted: it holds secrets.
        let headers = reader.parsed(&["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"], |text| {
            pairs(text).ok_or_else(|| "is no list like name=value,other=value".into())
        });
        let timeout = reader.parsed(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"], milliseconds);
        if let Some(Found { value, variable }) =
            reader.text(&["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"])
            && value != "none"
        {
            let problem = format!("is {value:?}: spans are sent without compression");
            reader.misread.push(Misread { variable, problem });
        }
        let sampler = reader.parsed(&["OTEL_TRACES_SAMPLER"], |text| {
            let known = Sampler::NAMES.iter().copied().find(|known| *known == text);
            known.ok_or_else(|| format!("is {text:?}: use one of {}", Sampler::NAMES.join(", ")).into())
        });
        // It means something to samplers by ratio only.
        let by_ratio = sampler.as_ref().is_some_and(|sampler| sampler.value.ends_with("ratio"));
        let ratio = by_ratio.then(|| {
            reader.parsed(&["OTEL_TRACES_SAMPLER_ARG"], |text| {
                let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
                ratio.ok_or_else(|| format!("is {text:?}: use a number from 0 to 1").into())
            })
        });
        let count = |text: &str| {
            let count = text.parse().ok().filter(|count| *count > 0);
            count.ok_or_else(|| Cow::Owned(format!("is {text:?}: use a whole number from 1")))
        };
        Self {
            disabled,
            endpoint,
            protocol,
            headers,
            timeout,
            certificate: reader.text(&["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"]),
            service: reader.text(&["OTEL_SERVICE_NAME"]),
            resource: reader.parsed(&["OTEL_RESOURCE_ATTRIBUTES"], |text| {
                pairs(text).ok_or_else(|| format!("is {text:?}: write key=value,key=value").into())
            }),
            sampler,
            ratio: ratio.flatten(),
            queue: reader.parsed(&["OTEL_BSP_MAX_QUEUE_SIZE"], count),
            batch: reader.parsed(&["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], count),
            delay: reader.parsed(&["OTEL_BSP_SCHEDULE_DELAY"], milliseconds),
            misread: reader.misread,
        }
    }

    /// The settings that it makes for the service `service`, which `OTEL_SERVICE_NAME` overrules; `None` where nothing is to
    /// be exported.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if the endpoint or a header cannot be used.
    pub fn settings(&self, service: &str) -> Result<Option<Settings>, SettingsError> {
        let Some(endpoint) = self.endpoint.as_ref().filter(|_| self.disabled.is_none()) else { return Ok(None) };
        let protocol = self.protocol.as_ref().map(|found| found.value).unwrap_or_default();
        let mut settings = Settings::new(&endpoint.value, protocol, service)?;
        for (name, value) in self.headers.iter().flat_map(|found| &found.value) {
            settings = settings.header(name, value)?;
        }
        for (key, value) in self.resource.iter().flat_map(|found| &found.value) {
            settings = settings.resource(key, value);
        }
        if let Some(service) = &self.service {
            settings = settings.resource("service.name", &service.value);
        }
        if let Some(timeout) = &self.timeout {
            settings = settings.timeout(timeout.value);
        }
        if let Some(sampler) = &self.sampler {
            let ratio = self.ratio.as_ref().map_or(1.0, |found| found.value);
            // Both were looked at when they were read.
            settings = settings.sampler(Sampler::from_name(sampler.value, ratio).unwrap_or_default());
        }
        let (queue, batch, delay) = (settings.queue, settings.batch, settings.delay);
        Ok(Some(settings.batches(
            self.queue.as_ref().map_or(queue, |found| found.value),
            self.batch.as_ref().map_or(batch, |found| found.value),
            self.delay.as_ref().map_or(delay, |found| found.value),
        )))
    }

    /// Whose certificates are believed: those of the file that a variable names, besides the public ones. The file is read now.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and which variable names it.
    pub(crate) fn roots(&self) -> Option<Result<Roots, String>> {
        let Found { value: path, variable } = self.certificate.as_ref()?;
        let pem = std::fs::read(path).map_err(|error| error.to_string());
        let roots = pem.and_then(|pem| Roots::public().and_pem(&pem).map_err(|error| error.to_string()));
        Some(roots.map_err(|problem| format!("{variable} names {path:?}: {problem}")))
    }
}

fn milliseconds(text: &str) -> Result<Duration, Cow<'static, str>> {
    let time = text.parse().ok().filter(|time| *time > 0).map(Duration::from_millis);
    time.ok_or_else(|| format!("is {text:?}: use milliseconds, as a whole number").into())
}

/// `name=value,other=value`, percent-encoded where it has to be (the format of W3C Baggage, without properties).
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(Cow::into_owned);
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((decoded(name).filter(|name| !name.is_empty())?, decoded(value)?))
    };
    text.split(',').filter(|entry| !entry.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_base_gets_the_path_of_its_signal_and_the_one_for_traces_is_taken_as_it_stands() {
        let endpoint = |variables: &[_]| read(variables).endpoint.map(|found| found.value);
        let (base, traces) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        assert_eq!(endpoint(&[(base, "http://c:4318/otlp/")]).as_deref(), Some("http://c:4318/otlp/v1/traces"));
        assert_eq!(endpoint(&[(base, "http://c"), (traces, "http://t/x")]).as_deref(), Some("http://t/x"));
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        assert_eq!(endpoint(&[(base, "http://c:4317"), grpc]).as_deref(), Some("http://c:4317"));
        assert_eq!(endpoint(&[(base, "  ")]), None);
    }

    #[test]
    fn lists_are_decoded() {
        let found = read(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x = 1,"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=sea,host.name=a"),
        ]);
        let list = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(found.headers.unwrap().value, list(&[("api-key", "a b"), ("x", "1")]));
        assert_eq!(found.resource.unwrap().value, list(&[("team", "sea"), ("host.name", "a")]));
    }

    #[test]
    fn what_cannot_be_read_is_reported_without_its_secrets_and_passed_over() {
        let found = read(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "abracadabra"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ]);
        let said: Vec<_> = found.misread.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "OTEL_EXPORTER_OTLP_PROTOCOL is \"http/json\": use grpc or http/protobuf; it is passed over",
                "OTEL_EXPORTER_OTLP_HEADERS is no list like name=value,other=value; it is passed over",
                "OTEL_EXPORTER_OTLP_COMPRESSION is \"gzip\": spans are sent without compression; it is passed over",
                "OTEL_TRACES_SAMPLER_ARG is \"2\": use a number from 0 to 1; it is passed over",
                "OTEL_BSP_MAX_QUEUE_SIZE is \"0\": use a whole number from 1; it is passed over",
            ]
        );
        assert!(found.protocol.is_none() && found.headers.is_none() && found.ratio.is_none());
    }

    #[test]
    fn nothing_is_exported_where_that_is_switched_off() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert!(read(&[endpoint]).settings("a").unwrap().is_some());
        for off in [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert!(read(&[endpoint, off]).settings("a").unwrap().is_none(), "{off:?}");
        }
        assert!(read(&[endpoint, ("OTEL_TRACES_EXPORTER", "console,otlp")]).settings("a").unwrap().is_some());
        assert!(read(&[]).settings("a").unwrap().is_none());
    }
}
