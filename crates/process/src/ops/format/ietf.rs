//! The shape of draft-inadarei-api-health-check-06
//! (<https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06>).

use http::StatusCode;
use seaworthy::core::health::{Check, Overall, Status};
use serde_json::{Map, Value, json};

use crate::config::Verdict;
use crate::ops::answer::Answer;
use seaworthy::probes::Report;

pub(super) const MEDIA_TYPE: &str = "application/health+json";

pub(super) fn write(report: &Report<'_>) -> Answer {
    let mut body = Map::from_iter([("status".to_owned(), Value::from(status(report)))]);
    if let Some(version) = &report.identity.version {
        // The draft's `version` is that of the interface; a program's own is its release.
        body.insert("releaseId".to_owned(), version.as_str().into());
    }
    body.insert("serviceId".to_owned(), report.identity.service.as_str().into());
    if !report.missing.is_empty() {
        body.insert("notes".to_owned(), json!([format!("missing: {}", report.missing.join(", "))]));
    }
    let time = format!("{:.3}", report.facts.now.wall);
    let uptime = (report.facts.uptime.as_secs_f64() * 10.0).round() / 10.0;
    let uptime = json!([{
        "componentType": "system", "observedValue": uptime, "observedUnit": "s", "status": "pass", "time": time,
    }]);
    let mut checks = Map::from_iter([("uptime".to_owned(), uptime)]);
    for check in &report.checks {
        entries(check, report, &mut checks);
    }
    body.insert("checks".to_owned(), Value::Object(checks));
    let code = if report.passes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Answer { content_type: MEDIA_TYPE, ..Answer::json(code, &Value::Object(body)) }
}

fn status(report: &Report<'_>) -> &'static str {
    let degraded = report.verdict == Some(Verdict::Health) && report.status == Overall::Degraded.name();
    match report.passes {
        true if degraded || report.verdict.is_none() && report.status == Status::Degraded.name() => "warn",
        true => "pass",
        false => "fail",
    }
}

/// One entry a measurement, keyed `component:measurement` (4).
fn entries(check: &Check, report: &Report<'_>, checks: &mut Map<String, Value>) {
    // A colon separates the two, so the name may hold none.
    let name = check.name.replace(':', "_");
    let component = match check.kind {
        "postgres" | "mysql" | "redis" => "datastore",
        "disk" | "memory" => "system",
        _ => "component",
    };
    let status = match check.status {
        Status::Healthy => "pass",
        Status::Degraded => "warn",
        Status::Unhealthy | Status::Pending => "fail",
    };
    let mut entry = Map::from_iter([("componentType".to_owned(), Value::from(component))]);
    if let Some(at) = check.last_checked {
        entry.insert("time".to_owned(), format!("{:.3}", report.facts.now.wall_of(at)).into());
    }
    let mut answer = entry.clone();
    if let Some(latency) = check.latency {
        answer.insert("observedValue".to_owned(), json!((latency.as_secs_f64() * 1e6).round() / 1e3));
        answer.insert("observedUnit".to_owned(), "ms".into());
    }
    answer.insert("status".to_owned(), status.into());
    if status != "pass" {
        let class = check.class.map(|class| class.name().to_owned());
        let output = check.error.clone().filter(|_| report.details).or(class);
        answer.extend(output.map(|output| ("output".to_owned(), output.into())));
    }
    checks.insert(format!("{name}:responseTime"), json!([answer]));
    for measure in check.measures.iter().filter(|_| report.details) {
        let mut measured = entry.clone();
        measured.extend(measure.labels.iter().map(|(label, value)| ((*label).to_owned(), value.as_str().into())));
        measured.insert("observedValue".to_owned(), json!(measure.value));
        let key = format!("{name}:{}", measure.name.strip_prefix("health_").unwrap_or(measure.name));
        if let Value::Array(list) = checks.entry(key).or_insert_with(|| json!([])) {
            list.push(Value::Object(measured));
        }
    }
}
