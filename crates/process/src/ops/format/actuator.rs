//! The shape of Spring Boot's Actuator
//! (<https://docs.spring.io/spring-boot/api/rest/actuator/health.html>).

use http::StatusCode;
use seaworthy::core::health::{Check, Class, Status};
use serde_json::{Map, Value, json};

use crate::config::Verdict;
use crate::ops::answer::Answer;
use seaworthy::probes::Report;

pub(super) const MEDIA_TYPE: &str = "application/vnd.spring-boot.actuator.v3+json";

/// Those that Spring Boot has by itself, in the order in which it lists them.
const GROUPS: [&str; 2] = ["liveness", "readiness"];

pub(super) fn write(report: &Report<'_>) -> Answer {
    let component = |check: &&Check| (check.name.clone(), component(check, report.details));
    let mut body = Map::from_iter([("status".to_owned(), status(report).into())]);
    if report.verdict != Some(Verdict::Live) {
        body.insert("components".to_owned(), Value::Object(report.checks.iter().map(component).collect()));
    }
    if report.verdict == Some(Verdict::Health) {
        let mut groups: Vec<_> = report.facts.snapshot.checks.iter().filter_map(|check| check.group.clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        body.insert("groups".to_owned(), GROUPS.map(str::to_owned).into_iter().chain(groups).collect());
    }
    let code = if report.passes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Answer { content_type: MEDIA_TYPE, ..Answer::json(code, &Value::Object(body)) }
}

/// A service that takes no requests by its own will is out of service, and not down.
fn status(report: &Report<'_>) -> &'static str {
    let asked_for = matches!(report.verdict, Some(Verdict::Ready | Verdict::Health | Verdict::Startup));
    match report.passes {
        true => "UP",
        false if asked_for && !report.facts.state.answers().ready => "OUT_OF_SERVICE",
        false => "DOWN",
    }
}

fn component(check: &Check, shows_errors: bool) -> Value {
    let status = match check.status {
        // What is degraded takes requests.
        Status::Healthy | Status::Degraded => "UP",
        Status::Unhealthy => "DOWN",
        Status::Pending => "UNKNOWN",
    };
    let mut details = Map::new();
    if let Some(latency) = check.latency {
        details.insert("latencyMs".to_owned(), json!((latency.as_secs_f64() * 1e6).round() / 1e3));
    }
    if let Some(class) = check.class.map(Class::name) {
        details.insert("class".to_owned(), class.into());
    }
    if let Some(error) = check.error.as_ref().filter(|_| shows_errors) {
        details.insert("error".to_owned(), error.as_str().into());
    }
    if details.is_empty() { json!({ "status": status }) } else { json!({ "status": status, "details": details }) }
}
