//! `http`: a URL answers with the right status, header or body.

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use url::Url;

use super::tls::Validity;
use crate::condition::Condition;
use crate::net::{Place, Stream};
use crate::probe::{Failure, Probe, Report, Running, chain, driven, io_kind};
use crate::secret::Secret;
use crate::surroundings::Surroundings;
use crate::tls::{self, Tls};

/// A larger body is no answer to a check.
const LARGEST: usize = 1024 * 1024;

/// More redirects are a circle.
const REDIRECTS: usize = 5;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub target: Target,
    pub method: Method,
    pub headers: Vec<(HeaderName, Secret)>,
    /// Which statuses are right.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body must be like, or the value at `json` in it.
    pub condition: Option<Condition>,
    /// Where in the body, as JSON, to look: `checks.database.status`, `items.0`.
    pub json: Option<String>,
    pub tls: Tls,
    pub validity: Validity,
}

/// A URL without what is secret in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    /// The socket to connect to, where that is not the host.
    socket: Option<Place>,
    authorization: Option<Secret>,
}

/// Why a URL is no target. Never quotes it: it may carry a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("is not a URL ({0}); write it as \"http://localhost:3000/health\"")]
    NotAUrl(url::ParseError),
    #[error("begins with \"{0}:\", not with \"http:\" or \"https:\"")]
    Scheme(String),
    #[error("names no socket: write it as \"http+unix://%2Frun%2Fapp.sock/health\"")]
    NoSocket,
}

impl Target {
    /// Reads `http://`, `https://`, and `http+unix://` with a percent-encoded path in place of the host.
    pub fn new(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("http+unix://") {
            let (socket, path) = rest.split_once('/').unwrap_or((rest, ""));
            let socket = percent_encoding::percent_decode_str(socket).decode_utf8_lossy().into_owned();
            if !socket.starts_with('/') {
                return Err(TargetError::NoSocket);
            }
            let url = Url::parse("http://localhost/").and_then(|url| url.join(&format!("/{path}")));
            let url = url.map_err(TargetError::NotAUrl)?;
            return Ok(Self { url, socket: Some(Place::Unix(socket.into())), authorization: None });
        }
        let mut url = Url::parse(text).map_err(TargetError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme(url.scheme().to_owned()));
        }
        let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| basic(&url));
        // Neither fails on a URL that has a host, and those of HTTP have one.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        Ok(Self { url, socket: None, authorization })
    }

    fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    fn place(&self) -> Place {
        self.socket.clone().unwrap_or_else(|| Place::Tcp {
            host: self.host().to_owned(),
            port: self.url.port_or_known_default().unwrap_or(80),
        })
    }

    /// Without the brackets of an IPv6 address.
    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// Where a redirect leads, if it stays on the same host: a check of one service must not end up at another.
    fn redirected(&self, location: &str) -> Result<Self, Failure> {
        let url = self.url.join(location);
        let url = url.map_err(|error| Failure::protocol(format!("redirects to what is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str() != self.url.host_str() {
            let host = url.host_str().unwrap_or_default();
            return Err(Failure::condition(format!("redirects to another host, {host:?}, which is not followed")));
        }
        Ok(Self { url, ..self.clone() })
    }
}

/// A query may carry a key, so it is not shown.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.url.scheme(), self.place(), self.url.path())
    }
}

fn basic(url: &Url) -> Secret {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(url.password().unwrap_or_default()));
    Secret::new(format!("Basic {}", base64(&credentials)))
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |sum, at| sum << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let index = (number >> (18 - 6 * digit)) & 63;
            let shown = digit <= chunk.len();
            text.push(if shown { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

/// Connects each time, as clients do: a kept connection would not see that no new one is accepted any more.
#[derive(Debug)]
pub(super) struct Http {
    settings: Settings,
    surroundings: Surroundings,
}

impl Http {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings }
    }

    async fn ask(&self) -> Result<Report, Failure> {
        let mut target = self.settings.target.clone();
        for _ in 0..REDIRECTS {
            let (answer, report) = self.exchange(&target).await?;
            let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            match location.filter(|_| answer.status().is_redirection() && !self.is_right(answer.status())) {
                Some(location) => target = target.redirected(location)?,
                None => return self.judge(&answer).map(|()| report),
            }
        }
        Err(Failure::condition(format!("redirects more than {REDIRECTS} times")))
    }

    async fn exchange(&self, target: &Target) -> Result<(Response<Bytes>, Report), Failure> {
        let stream = target.place().dial(&self.surroundings).await?;
        let (stream, report): (Stream, _) = if target.is_tls() {
            let stream = tls::connect(stream, &self.settings.tls, target.host(), &["http/1.1"]).await?;
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = certificate.ok_or_else(|| Failure::tls("the server showed no certificate"))?;
            let report = self.settings.validity.judge(certificate, SystemTime::now(), Report::default())?;
            (Box::new(stream), report)
        } else {
            (stream, Report::default())
        };
        let request = self.request(target)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        let exchange = async {
            let (head, body) = sender.send_request(request).await.map_err(|error| failed(&error))?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|error| Failure::protocol(format!("its body cannot be read: {error}")))?;
            Ok::<_, Failure>(Response::from_parts(head, body.to_bytes()))
        };
        Ok((driven(exchange, connection).await?, report))
    }

    fn request(&self, target: &Target) -> Result<Request<Empty<Bytes>>, Failure> {
        let unsendable = |_| Failure::protocol("the request cannot be written");
        let path = match target.url.query() {
            Some(query) => format!("{}?{query}", target.url.path()),
            None => target.url.path().to_owned(),
        };
        let uri: Uri = path.parse().map_err(|_| Failure::protocol("the URL cannot be asked for"))?;
        let host = target.url.host_str().unwrap_or_default();
        let host = target.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::builder()
            .method(self.settings.method.clone())
            .uri(uri)
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("seaworthy/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(Empty::new())
            .map_err(unsendable)?;
        let authorization = target.authorization.iter().map(|value| (&header::AUTHORIZATION, value));
        let configured = self.settings.headers.iter().map(|(name, value)| (name, value));
        for (name, value) in authorization.chain(configured) {
            let unsendable = |_| Failure::protocol(format!("the value of the header {name} cannot be sent"));
            let mut value = HeaderValue::from_str(value.expose()).map_err(unsendable)?;
            value.set_sensitive(true);
            request.headers_mut().insert(name.clone(), value);
        }
        Ok(request)
    }

    fn is_right(&self, status: StatusCode) -> bool {
        self.settings.status.iter().any(|range| range.contains(&status.as_u16()))
    }

    fn judge(&self, answer: &Response<Bytes>) -> Result<(), Failure> {
        let status = answer.status();
        if !self.is_right(status) {
            let message = format!("answers {status}");
            return Err(match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                    Failure::auth(message)
                }
                _ => Failure::condition(message),
            });
        }
        let Some(condition) = &self.settings.condition else { return Ok(()) };
        let (what, value) = match &self.settings.json {
            None => ("the body".to_owned(), String::from_utf8_lossy(answer.body()).into_owned()),
            Some(path) => {
                let body: Value = serde_json::from_slice(answer.body())
                    .map_err(|error| Failure::protocol(format!("its body is not JSON: {error}")))?;
                let value = lookup(&body, path);
                let value = value.ok_or_else(|| Failure::condition(format!("its body has no `{path}`")))?;
                (format!("`{path}`"), value)
            }
        };
        if condition.holds(&value) {
            return Ok(());
        }
        // A body may be anything, secrets included; a value somebody pointed at is what they want to see.
        let shown: String = self.settings.json.iter().flat_map(|_| value.chars().take(100)).collect();
        let shown = if shown.is_empty() { String::new() } else { format!(", it is {shown:?}") };
        Err(Failure::condition(format!("{what} is not \"{condition}\"{shown}")))
    }
}

/// The value at a dotted path, as text.
fn lookup(body: &Value, path: &str) -> Option<String> {
    let path = path.strip_prefix("$.").unwrap_or(path);
    let step = |at: &'_ Value, key: &str| match at {
        Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index).cloned()),
        at => at.get(key).cloned(),
    };
    let value = path.split('.').try_fold(body.clone(), |at, key| step(&at, key))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn failed(error: &hyper::Error) -> Failure {
    let message = chain(error);
    if error.is_parse() || error.is_parse_too_large() {
        return Failure::protocol(format!("what answers does not speak HTTP: {message}"));
    }
    // A connection that ended cancels the request on it, and tells why below.
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<hyper::Error>());
    let cause = source.unwrap_or(error);
    if cause.is_incomplete_message() || cause.is_canceled() || cause.is_closed() {
        return Failure::refused(format!("no answer came: {message}"));
    }
    match io_kind(error) {
        Some(kind) => Failure { message, ..Failure::from(std::io::Error::from(kind)) },
        None => Failure::protocol(message),
    }
}

impl Probe for Http {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_becomes_a_header_and_is_shown_nowhere() {
        let target = Target::new("https://me:hunter%202@api.internal:8443/health?key=abc").unwrap();
        assert_eq!(format!("{target:?}"), "https://api.internal:8443/health");
        assert_eq!(target.authorization.unwrap().expose(), "Basic bWU6aHVudGVyIDI=");
        assert!(!target.url.as_str().contains("hunter"));
    }

    #[test]
    fn base64_is_as_rfc_4648_has_it() {
        let encoded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn a_redirect_is_followed_on_the_same_host_only() {
        let target = Target::new("http://api.internal/a/b").unwrap();
        assert_eq!(target.redirected("../c").unwrap().url.as_str(), "http://api.internal/c");
        assert_eq!(target.redirected("https://api.internal/x").unwrap().place().to_string(), "api.internal:443");
        assert!(target.redirected("//169.254.169.254/latest").is_err());
        assert!(target.redirected("file:///etc/passwd").is_err());
    }

    #[test]
    fn values_in_json_are_found_by_their_path() {
        let body = serde_json::json!({ "checks": [{ "status": "up", "n": 3 }], "ok": true });
        let at = |path| lookup(&body, path);
        assert_eq!(at("checks.0.status").as_deref(), Some("up"));
        assert_eq!(at("$.checks.0.n").as_deref(), Some("3"));
        assert_eq!(at("ok").as_deref(), Some("true"));
        assert_eq!(at("checks.1.status"), None);
    }

    #[test]
    fn sockets_and_wrong_urls() {
        let target = Target::new("http+unix://%2Frun%2Fapp.sock/health?x=1").unwrap();
        assert_eq!((target.place(), target.url.path()), (Place::Unix("/run/app.sock".into()), "/health"));
        assert_eq!(Target::new("http+unix://run/x").unwrap_err(), TargetError::NoSocket);
        assert_eq!(Target::new("ftp://x/").unwrap_err(), TargetError::Scheme("ftp".to_owned()));
        assert!(Target::new("localhost/health").is_err());
    }

    #[test]
    fn fuzz_any_url_is_a_target_or_refused_and_any_path_finds_a_value_or_none() {
        seaworthy_fuzz::drive_text("http-check", |text| {
            let (url, rest) = text.split_once('\n').unwrap_or((text, ""));
            if let Ok(target) = Target::new(url) {
                let _ = target.redirected(rest.lines().next().unwrap_or_default());
                let _ = (target.place(), target.host().len());
            }
            let (path, body) = rest.split_once('\n').unwrap_or((rest, ""));
            if let Ok(body) = serde_json::from_str(body) {
                let _ = lookup(&body, path);
            }
        });
    }
}
