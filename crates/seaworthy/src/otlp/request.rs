//! The spans of a request: the one that served it, and the call that it was passed on with.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use seaworthy_core::event::RequestFinished;
use seaworthy_core::metric::METHODS;
use seaworthy_core::redact::Redactor;
use seaworthy_core::trace::RequestSpan;

use super::span::{self, Attributes, Kind, Place};

/// What of a request is shown.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Whether the query is, redacted.
    pub query: bool,
    /// What is redacted.
    pub redactor: Redactor,
}

/// Appends the spans of a request that has ended, and says how many those are.
pub(super) fn encode(out: &mut Vec<u8>, request: &RequestFinished<'_>, spans: &RequestSpan, shown: &Shown) -> u32 {
    let start = request.ended.checked_sub(request.duration).unwrap_or(request.ended);
    server(out, request, spans, shown, start);
    match (spans.client, request.upstream) {
        (Some(id), Some(upstream)) => {
            let place = Place { trace: spans.trace, id, parent: Some(spans.server), sampled: spans.sampled };
            // The head of the answer is seen at the same moment by whoever waits for it here and there.
            let began = start + request.first_byte.saturating_sub(upstream.time);
            let times = (began, upstream.time);
            client(out, request, place, upstream.address, upstream.attempts, times);
            2
        }
        _ => 1,
    }
}

/// Whether a request went wrong on our side: 4xx are the client's affair (HTTP spans, "Status").
pub(super) fn failed(request: &RequestFinished<'_>) -> bool {
    request.status >= 500
}

fn server(out: &mut Vec<u8>, request: &RequestFinished<'_>, spans: &RequestSpan, shown: &Shown, start: SystemTime) {
    let place = Place { trace: spans.trace, id: spans.server, parent: spans.parent, sampled: spans.sampled };
    let method = known_method(request.method);
    let name = match request.route {
        Some(route) => [method.unwrap_or("HTTP"), " ", route],
        None => [method.unwrap_or("HTTP"), "", ""],
    };
    let reason = failed(request).then(|| request.refusal.map_or("", |refusal| refusal.name()));
    span::encode(out, place, Kind::Server, &name, (start, request.duration), reason, |attributes| {
        method_of(attributes, request.method, method);
        attributes.text("url.path", request.path);
        if let Some(query) = request.query.filter(|_| shown.query) {
            attributes.text("url.query", &shown.redactor.query(query));
        }
        if let Some(route) = request.route {
            attributes.text("http.route", route);
        }
        attributes.integer("http.response.status_code", i64::from(request.status));
        attributes.text("network.protocol.version", request.protocol.version());
        if let Some(client) = request.client {
            address(attributes, "client.address", client);
        }
        if let Some(user_agent) = request.user_agent {
            attributes.bytes("user_agent.original", user_agent);
        }
        attributes.integer("http.request.body.size", i64::try_from(request.bytes_in).unwrap_or(i64::MAX));
        attributes.integer("http.response.body.size", i64::try_from(request.bytes_out).unwrap_or(i64::MAX));
        if !request.request_id.is_empty() {
            attributes.text("seaworthy.request_id", request.request_id);
        }
        if request.aborted {
            attributes.flag("seaworthy.aborted", true);
        }
        error_type(attributes, request);
    });
}

fn client(
    out: &mut Vec<u8>,
    request: &RequestFinished<'_>,
    place: Place,
    upstream: &str,
    attempts: u8,
    times: (SystemTime, Duration),
) {
    let method = known_method(request.method);
    let reason = failed(request).then(|| request.refusal.map_or("", |refusal| refusal.name()));
    span::encode(out, place, Kind::Client, &[method.unwrap_or("HTTP")], times, reason, |attributes| {
        method_of(attributes, request.method, method);
        let (host, port) = authority(upstream);
        attributes.text("server.address", host);
        if let Some(port) = port {
            attributes.integer("server.port", i64::from(port));
        }
        attributes.text("url.path", request.path);
        if request.refusal.is_none() && !(request.aborted && request.status == 499) {
            attributes.integer("http.response.status_code", i64::from(request.status));
        }
        if attempts > 1 {
            attributes.integer("http.request.resend_count", i64::from(attempts) - 1);
        }
        error_type(attributes, request);
    });
}

fn known_method(method: &str) -> Option<&'static str> {
    METHODS.iter().copied().find(|known| *known == method && *known != "other")
}

/// A method that is none of the usual is not to become a value of its own (HTTP spans, `http.request.method`).
fn method_of(attributes: &mut Attributes<'_>, method: &str, known: Option<&str>) {
    attributes.text("http.request.method", known.unwrap_or("_OTHER"));
    if known.is_none() {
        attributes.text("http.request.method_original", method);
    }
}

/// Why it went wrong: our own reason, else the status.
fn error_type(attributes: &mut Attributes<'_>, request: &RequestFinished<'_>) {
    if !failed(request) {
        return;
    }
    let mut text = [0; 5];
    let reason = request.refusal.map_or_else(|| digits(request.status, &mut text), |refusal| refusal.name());
    attributes.text("error.type", reason);
}

fn digits(number: u16, text: &mut [u8; 5]) -> &str {
    let mut rest = &mut text[..];
    // Five bytes hold the largest.
    let _ = write!(rest, "{number}");
    let length = 5 - rest.len();
    std::str::from_utf8(&text[..length]).unwrap_or_default()
}

fn address(attributes: &mut Attributes<'_>, key: &str, address: IpAddr) {
    let mut text = [0; 48];
    let mut rest = &mut text[..];
    // The longest address has 45 characters.
    let _ = write!(rest, "{}", address.to_canonical());
    let length = 48 - rest.len();
    attributes.bytes(key, &text[..length]);
}

/// Host and port of an upstream as it is called: `127.0.0.1:3000`, `http://app:3000`, `unix:/run/app.sock`.
fn authority(upstream: &str) -> (&str, Option<u16>) {
    if let Some(path) = upstream.strip_prefix("unix:") {
        return (path, None);
    }
    let authority = upstream.split_once("://").map_or(upstream, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host.trim_matches(['[', ']']), port.parse().ok()),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_taken_apart_however_it_is_called() {
        assert_eq!(authority("127.0.0.1:3000"), ("127.0.0.1", Some(3000)));
        assert_eq!(authority("http://app:3000/x"), ("app", Some(3000)));
        assert_eq!(authority("[::1]:80"), ("::1", Some(80)));
        assert_eq!(authority("unix:/run/app.sock"), ("/run/app.sock", None));
        assert_eq!(authority("app"), ("app", None));
    }
}
