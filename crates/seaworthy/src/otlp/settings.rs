//! Where spans go, and how.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use seaworthy_core::trace::Sampler;

use super::request::Shown;
use crate::client::{Resolver, Roots};

/// How spans are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// One HTTP request a batch: `http/protobuf`. Port 4318 by habit.
    #[default]
    Http,
    /// gRPC over HTTP/2. Port 4317 by habit.
    Grpc,
}

impl Protocol {
    /// As `OTEL_EXPORTER_OTLP_PROTOCOL` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http/protobuf",
            Self::Grpc => "grpc",
        }
    }
}

/// Where spans go, and how. The defaults are those of the OpenTelemetry specification.
#[derive(Clone)]
pub struct Settings {
    pub(super) endpoint: Uri,
    pub(super) protocol: Protocol,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) timeout: Duration,
    pub(super) resource: BTreeMap<String, String>,
    pub(super) sampler: Sampler,
    pub(super) on_error: bool,
    pub(super) queue: u32,
    pub(super) batch: u32,
    pub(super) delay: Duration,
    pub(super) resolver: Resolver,
    pub(super) roots: Roots,
    pub(super) shown: Shown,
}

/// Why settings cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// It is no absolute URL of HTTP. A password in it is hidden.
    #[error("{0:?} is no endpoint: write http:// or https://, a host and a port, as in \"http://127.0.0.1:4318\"")]
    Endpoint(String),
    /// The name alone: the value may be a secret.
    #[error("the header {0:?} cannot be sent: a name has letters, digits and -, a value visible ASCII")]
    Header(String),
}

impl Settings {
    /// To a collector, as the service `service`.
    ///
    /// An endpoint without a path gets `/v1/traces` for [`Protocol::Http`]; with one it is taken as it stands.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Endpoint`] if it is not an absolute URL of HTTP.
    pub fn new(endpoint: &str, protocol: Protocol, service: &str) -> Result<Self, SettingsError> {
        Ok(Self {
            endpoint: target(endpoint, protocol).ok_or_else(|| SettingsError::Endpoint(shown(endpoint)))?,
            protocol,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            resource: BTreeMap::from([("service.name".to_owned(), service.to_owned())]),
            sampler: Sampler::default(),
            on_error: true,
            queue: 2048,
            batch: 512,
            delay: Duration::from_secs(5),
            resolver: Resolver::system(),
            roots: Roots::public(),
            shown: Shown::default(),
        })
    }

    /// A header of each request, as the key of a vendor.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Header`] if it cannot be one.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, SettingsError> {
        let refused = || SettingsError::Header(name.to_owned());
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        self.headers.push((known, value));
        Ok(self)
    }

    /// How long one request to the collector may take. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// An attribute of all spans, as `deployment.environment.name`.
    #[must_use]
    pub fn resource(mut self, key: &str, value: &str) -> Self {
        self.resource.insert(key.to_owned(), value.to_owned());
        self
    }

    /// As [`Settings::resource`], where nobody else said it.
    pub(crate) fn resource_else(mut self, key: &str, value: &str) -> Self {
        self.resource.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        self
    }

    /// Which traces are kept. Default: all, unless the parent says no.
    #[must_use]
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Whether what went wrong is exported though its trace is not sampled. Default: yes.
    #[must_use]
    pub fn on_error(mut self, on: bool) -> Self {
        self.on_error = on;
        self
    }

    /// How many spans may wait (default 2048), how many go at once (512), and how long the first of them waits at most
    /// (5 s).
    #[must_use]
    pub fn batches(mut self, queue: u32, batch: u32, delay: Duration) -> Self {
        (self.queue, self.batch, self.delay) = (queue.max(1), batch.clamp(1, queue.max(1)), delay);
        self
    }

    /// Who knows the addresses of names. Default: the system.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Whose certificates are believed. Default: those that browsers believe.
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// What of requests is shown. Default: no query.
    #[must_use]
    pub fn show(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }
}

/// Headers stay out: a vendor's key is one.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &shown(&self.endpoint.to_string()))
            .field("protocol", &self.protocol)
            .field("resource", &self.resource)
            .field("sampler", &self.sampler)
            .finish_non_exhaustive()
    }
}

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn target(endpoint: &str, protocol: Protocol) -> Option<Uri> {
    let uri: Uri = endpoint.trim().parse().ok()?;
    let authority = uri.authority()?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.as_str().contains('@') {
        return None;
    }
    let path = uri.path().trim_end_matches('/');
    let path = match protocol {
        Protocol::Http if path.is_empty() => "/v1/traces".to_owned(),
        Protocol::Http => path.to_owned(),
        Protocol::Grpc => format!("{path}{EXPORT}"),
    };
    Uri::builder().scheme(uri.scheme_str()?).authority(authority.clone()).path_and_query(path).build().ok()
}

/// As it may be shown.
pub(super) fn shown(endpoint: &str) -> String {
    seaworthy_core::redact::Redactor::default().url(endpoint).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_becomes_the_address_of_its_protocol() {
        let of = |endpoint, protocol| target(endpoint, protocol).map(|uri| uri.to_string());
        let http = |endpoint| of(endpoint, Protocol::Http);
        assert_eq!(http("http://collector:4318").as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(http("https://a.example/otlp/v1/traces").as_deref(), Some("https://a.example/otlp/v1/traces"));
        let grpc = of("http://collector:4317", Protocol::Grpc);
        assert_eq!(grpc, Some(format!("http://collector:4317{EXPORT}")));
        for none in ["collector:4318", "ftp://collector", "/v1/traces", "http://user:secret@collector", ""] {
            assert_eq!(http(none), None, "{none}");
        }
    }

    #[test]
    fn nothing_that_is_printed_shows_a_header() {
        let settings = Settings::new("http://127.0.0.1:4318", Protocol::Http, "orders").unwrap();
        let settings = settings.header("api-key", "abracadabra").unwrap();
        assert!(!format!("{settings:?}").contains("abracadabra"));
        let refused = settings.header("x", "abra\ncadabra").unwrap_err().to_string();
        assert!(!refused.contains("cadabra"), "{refused}");
        let refused = Settings::new("http://me:abracadabra@collector", Protocol::Http, "orders").unwrap_err();
        assert!(!refused.to_string().contains("abracadabra"), "{refused}");
    }
}
