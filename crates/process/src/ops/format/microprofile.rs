//! The shape of MicroProfile Health 4.0
//! (<https://download.eclipse.org/microprofile/microprofile-health-4.0/microprofile-health-spec-4.0.html>).

use http::StatusCode;
use seaworthy::core::health::{Check, Class};
use serde_json::{Map, Value, json};

use crate::ops::answer::Answer;
use seaworthy::probes::{Report, holds};

pub(super) fn write(report: &Report<'_>) -> Answer {
    let mut checks: Vec<_> = report.checks.iter().map(|check| entry(check, report.details)).collect();
    if !report.missing.is_empty() {
        checks.push(json!({ "name": "config", "status": "DOWN", "data": { "missing": report.missing.join(", ") } }));
    }
    let code = if report.passes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Answer::json(code, &json!({ "status": word(report.passes), "checks": checks }))
}

/// There is no third word.
fn word(holds: bool) -> &'static str {
    if holds { "UP" } else { "DOWN" }
}

/// Values are numbers, text or booleans, and none of them a table (4.1).
fn entry(check: &Check, shows_errors: bool) -> Value {
    let mut data = Map::from_iter([("status".to_owned(), Value::from(check.status.name()))]);
    if let Some(latency) = check.latency {
        data.insert("latency_ms".to_owned(), json!((latency.as_secs_f64() * 1e6).round() / 1e3));
    }
    if let Some(class) = check.class.map(Class::name) {
        data.insert("class".to_owned(), class.into());
    }
    if let Some(error) = check.error.as_ref().filter(|_| shows_errors) {
        data.insert("error".to_owned(), error.as_str().into());
    }
    json!({ "name": check.name, "status": word(holds(check.status)), "data": data })
}
