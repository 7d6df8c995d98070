//! Which facts are worth a report, and what it says.

use std::time::Duration;

use seaworthy_core::event::{Event, Outcome, Value};
use seaworthy_core::redact::Redactor;
use serde_json::{Map, Number, Value as Json, json};

/// How much a report matters, as Sentry calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Severity {
    /// The service cannot go on.
    Fatal,
    /// Something went wrong.
    #[default]
    Error,
    /// Something may go wrong.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Something that somebody should know of.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "nobody hears of it before it was captured"]
pub struct Report {
    pub(super) severity: Severity,
    /// What kind of thing it is: the title of the issue.
    pub(super) kind: String,
    pub(super) message: String,
    /// What belongs to the same issue has the same one.
    pub(super) fingerprint: Vec<String>,
    pub(super) request_id: Option<String>,
    pub(super) extra: Map<String, Json>,
}

impl Report {
    /// A report of its own: `kind` is the title of the issue, and all reports of a kind are one issue.
    ///
    /// ```
    /// use seaworthy::sentry::Report;
    ///
    /// let report = Report::new("payment lost", "the provider charged twice").request_id("0192-id").extra("order", 7);
    /// ```
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        let kind = kind.into();
        Self {
            severity: Severity::default(),
            fingerprint: vec![kind.clone()],
            kind,
            message: message.into(),
            request_id: None,
            extra: Map::new(),
        }
    }

    /// Default: [`Severity::Error`].
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Reports of one fingerprint are one issue, and sent once a minute at most. Default: the kind.
    pub fn fingerprint<P: Into<String>>(mut self, parts: impl IntoIterator<Item = P>) -> Self {
        self.fingerprint = parts.into_iter().map(Into::into).collect();
        self
    }

    /// The request that it happened in.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// What else is known. Values of secret names are redacted.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// The report of a fact, if it is worth one by itself.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let (severity, kind, fingerprint) = match event {
            Event::Panicked { place, .. } => (Severity::Fatal, "panic", vec![place.clone()]),
            Event::StopEnded { outcome: Outcome::Graceful, .. } => (Severity::Info, "graceful shutdown", Vec::new()),
            Event::StopEnded { outcome: Outcome::Forced, .. } => (Severity::Error, "forced shutdown", Vec::new()),
            Event::BreakerOpened { service, .. } => (Severity::Error, "breaker opened", vec![service.clone()]),
            Event::AppDied { ending, .. } => (Severity::Error, "app died", vec![ending.to_string()]),
            Event::AppHangs { .. } => (Severity::Error, "app hangs", Vec::new()),
            Event::AppGaveUp { .. } => (Severity::Fatal, "gave up on the app", Vec::new()),
            Event::AppNotReady { .. } => (Severity::Error, "app not ready", Vec::new()),
            Event::ServiceFailed { .. } => (Severity::Error, "service failed", Vec::new()),
            Event::WorkerLost { .. } => (Severity::Fatal, "worker lost", Vec::new()),
            _ => return None,
        };
        Some(Self::of_kind(event, severity, kind, fingerprint))
    }

    /// The report of a check that has failed for so long.
    pub(super) fn of_check(event: &Event, check: &str, failed_for: Duration) -> Self {
        let report = Self::of_kind(event, Severity::Error, "check failed for long", vec![check.to_owned()]);
        report.extra("failed_for", failed_for.as_secs_f64())
    }

    fn of_kind(event: &Event, severity: Severity, kind: &str, mut fingerprint: Vec<String>) -> Self {
        fingerprint.insert(0, kind.to_owned());
        let (mut extra, mut request_id) = (Map::new(), None);
        event.each_field(|name, value| match (name, value) {
            ("request_id", Value::Text(id)) => request_id = Some(id.to_owned()),
            _ => {
                extra.insert(name.to_owned(), field(value));
            }
        });
        let (kind, message) = (kind.to_owned(), event.to_string());
        Self { severity, kind, message, fingerprint, request_id, extra }
    }

    /// The fields that are its own in an event, redacted.
    pub(super) fn fields(self, redactor: &Redactor) -> Map<String, Json> {
        let Self { severity, kind, message, fingerprint, request_id, mut extra } = self;
        let message = redactor.text(&message).into_owned();
        for (name, value) in &mut extra {
            scrub(redactor, name, value);
        }
        let panic = kind == "panic";
        let mechanism = json!({ "type": if panic { "panic" } else { "generic" }, "handled": !panic });
        let mut tags = Map::new();
        if let Some(id) = request_id {
            tags.insert("request_id".to_owned(), id.into());
        }
        let Json::Object(fields) = json!({
            "level": severity.name(),
            "logger": "seaworthy",
            "exception": { "values": [{ "type": kind, "value": message, "mechanism": mechanism }] },
            "fingerprint": fingerprint,
            "tags": tags,
            "extra": extra,
        }) else {
            return Map::new();
        };
        fields
    }
}

/// Hides what is secret by its name, at any depth.
fn scrub(redactor: &Redactor, name: &str, value: &mut Json) {
    match value {
        Json::String(text) => *text = redactor.value(name, text).into_owned(),
        Json::Array(items) => items.iter_mut().for_each(|item| scrub(redactor, name, item)),
        Json::Object(table) => table.iter_mut().for_each(|(name, value)| scrub(redactor, name, value)),
        leaf if redactor.is_secret(name) => *leaf = seaworthy_core::redact::REDACTED.into(),
        _ => {}
    }
}

fn field(value: Value<'_>) -> Json {
    match value {
        Value::Text(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        Value::Flag(flag) => flag.into(),
        Value::Seconds(time) => time.as_secs_f64().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::event::Ending;

    #[test]
    fn facts_that_need_nobody_are_not_reported() {
        assert_eq!(Report::of(&Event::CleaningUp), None);
        assert_eq!(Report::of(&Event::Notice { text: "a".to_owned() }), None);
    }

    #[test]
    fn a_forced_shutdown_is_an_error_and_a_graceful_one_is_none() {
        let ended = |outcome| Event::StopEnded { outcome, took: Duration::from_secs(1), requests_cut: 2 };
        let report = |outcome| Report::of(&ended(outcome)).unwrap();
        assert_eq!(report(Outcome::Graceful).severity, Severity::Info);
        let forced = report(Outcome::Forced);
        assert_eq!(forced.severity, Severity::Error);
        assert_eq!(forced.extra["requests_cut"], 2);
        assert_ne!(forced.fingerprint, report(Outcome::Graceful).fingerprint);
    }

    #[test]
    fn a_panic_names_its_request_and_one_without_names_none() {
        let panicked =
            |id: &str| Event::Panicked { message: "oh".into(), place: "request".into(), request_id: id.into() };
        let tags = |id| Report::of(&panicked(id)).unwrap().fields(&Redactor::default())["tags"].clone();
        assert_eq!(tags("abc-1"), json!({ "request_id": "abc-1" }));
        assert_eq!(tags(""), json!({}));
    }

    #[test]
    fn deaths_by_different_causes_are_different_issues() {
        let died = |ending| Report::of(&Event::AppDied { pid: 1, ending, uptime: Duration::ZERO }).unwrap();
        assert_ne!(died(Ending::Exited(1)).fingerprint, died(Ending::Signalled(9)).fingerprint);
    }

    #[test]
    fn secrets_are_redacted_in_text_and_in_fields_at_any_depth() {
        let report = Report::new("x", "cannot reach postgres://app:abracadabra@db/orders?token=abracadabra")
            .extra("api_token", "abracadabra")
            .extra("headers", json!({ "Authorization": "abracadabra", "keys": ["abracadabra", 7] }));
        let fields = Json::Object(report.fields(&Redactor::default())).to_string();
        assert!(!fields.contains("abracadabra"), "{fields}");
        assert!(fields.contains("postgres://app:***@db/orders"), "{fields}");
    }
}
