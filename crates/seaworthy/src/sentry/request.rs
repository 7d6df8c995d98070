//! What a request leaves: a report where we answered it with 5xx, and a transaction where it was sampled.

use std::time::{Duration, SystemTime};

use seaworthy_core::event::RequestFinished;
use seaworthy_core::redact::Redactor;
use seaworthy_core::refusal::Reason;
use seaworthy_core::trace::{RequestSpan, SpanId, TraceId, encode};
use serde_json::{Map, Value as Json, json};

use super::envelope::seconds;
use super::report::{Report, Severity};

/// Whether an answer of ours says that something is wrong, rather than that a drain or a start takes its course.
pub(super) fn is_fault(request: &RequestFinished<'_>) -> Option<Reason> {
    let planned = |reason: &Reason| matches!(reason, Reason::Starting | Reason::Draining | Reason::Paused);
    request.refusal.filter(|reason| request.status >= 500 && !planned(reason))
}

/// The report of a request that was refused.
pub(super) fn report(request: &RequestFinished<'_>, reason: Reason) -> Report {
    let title = reason.row().title;
    let mut report = Report::new(reason.name(), format!("{} {}: {title}", request.status, request.method))
        .severity(Severity::Error)
        .fingerprint(["refused", reason.name()])
        .extra("status", request.status)
        .extra("duration", request.duration.as_secs_f64());
    if !request.request_id.is_empty() {
        report = report.request_id(request.request_id);
    }
    if let Some(upstream) = request.upstream {
        report = report.extra("upstream", upstream.address).extra("attempts", upstream.attempts);
    }
    report
}

/// What a report says of the request that it happened in.
pub(super) fn context(fields: &mut Map<String, Json>, request: &RequestFinished<'_>, redactor: &Redactor, query: bool) {
    let mut about = json!({ "method": request.method, "url": redactor.text(request.path) });
    if let Some(text) = request.query.filter(|_| query) {
        about["query_string"] = redactor.query(text).into_owned().into();
    }
    fields.insert("request".to_owned(), about);
    fields.insert("transaction".to_owned(), name(request).into());
    if let Some(span) = &request.span {
        fields.insert("contexts".to_owned(), json!({ "trace": trace(span.trace, span.server, span.parent) }));
    }
}

/// A transaction: the request, and the call that it was passed on with.
pub(super) fn transaction(request: &RequestFinished<'_>, now: SystemTime) -> Map<String, Json> {
    let span = request.span.unwrap_or_else(|| RequestSpan {
        trace: TraceId::from_random(fastrand::u128(..)),
        parent: None,
        server: SpanId::from_random(fastrand::u64(..)),
        client: Some(SpanId::from_random(fastrand::u64(..))),
        sampled: true,
    });
    let end = seconds(now);
    let start = end - request.duration.as_secs_f64();
    let mut about = trace(span.trace, span.server, span.parent);
    about["op"] = "http.server".into();
    about["status"] = status(request.status).into();
    let mut spans = Vec::new();
    if let (Some(id), Some(upstream)) = (span.client, request.upstream) {
        let mut call = trace(span.trace, id, Some(span.server));
        let head = start + request.first_byte.as_secs_f64();
        call["op"] = "http.client".into();
        call["description"] = format!("{} {}", request.method, upstream.address).into();
        call["status"] = status(request.status).into();
        call["start_timestamp"] = (head - Duration::min(upstream.time, request.first_byte).as_secs_f64()).into();
        call["timestamp"] = head.into();
        spans.push(call);
    }
    let Json::Object(fields) = json!({
        "type": "transaction",
        "transaction": name(request),
        "transaction_info": { "source": if request.route.is_some() { "route" } else { "url" } },
        "start_timestamp": start,
        "timestamp": end,
        "contexts": { "trace": about, "response": { "status_code": request.status } },
        "tags": { "request_id": request.request_id },
        "spans": spans,
    }) else {
        return Map::new();
    };
    fields
}

/// By route where it is known: a path has ids in it, and makes a transaction of each.
fn name(request: &RequestFinished<'_>) -> String {
    format!("{} {}", request.method, request.route.unwrap_or("unmatched"))
}

fn trace(trace: TraceId, span: SpanId, parent: Option<SpanId>) -> Json {
    let mut about = json!({ "trace_id": hex(trace.bytes()), "span_id": hex(&span.bytes()) });
    if let Some(parent) = parent {
        about["parent_span_id"] = hex(&parent.bytes()).into();
    }
    about
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len() * 2];
    encode(bytes, &mut text);
    text.into_iter().map(char::from).collect()
}

/// As OpenTelemetry and Sentry call it (<https://develop.sentry.dev/sdk/data-model/event-payloads/span/>).
fn status(status: u16) -> &'static str {
    match status {
        ..400 => "ok",
        401 => "unauthenticated",
        403 => "permission_denied",
        404 => "not_found",
        409 => "already_exists",
        429 => "resource_exhausted",
        499 => "cancelled",
        400..500 => "invalid_argument",
        501 => "unimplemented",
        503 => "unavailable",
        504 => "deadline_exceeded",
        500.. => "internal_error",
    }
}
