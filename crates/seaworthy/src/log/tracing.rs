//! [`tracing`](https://docs.rs/tracing) and this log, in both directions (feature `tracing`).
//!
//! - [`LogLayer`] writes the events of a service as lines of the same log, with the id and the trace of the request in
//!   whose span they happened. [`RequestSpanLayer`] makes that span; it stands inside of the request id and the trace context.
//! - [`TracingSink`] and [`TracingObserver`] give facts and requests to a subscriber of the service's own.
//!
//! Use one direction a process. What [`TracingSink`] and [`TracingObserver`] say is not written by [`LogLayer`]: it comes to the log by
//! itself.
//!
//! ```
//! use seaworthy::log::{Format, Logger};
//! use seaworthy::log::tracing::LogLayer;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! # fn main() -> std::io::Result<()> {
//! let logger = Logger::builder("shop").format(Format::Json).start()?;
//! let subscriber = tracing_subscriber::registry().with(LogLayer::new(logger));
//! tracing::subscriber::with_default(subscriber, || tracing::info!(order = 7, "paid"));
//! # Ok(())
//! # }
//! ```

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::SystemTime;

use http::Request;
use seaworthy_core::event::{Event, Level, RequestFinished, Sink, Value};
use seaworthy_core::redact::Redactor;
use seaworthy_core::refusal::Reason;
use tower_layer::Layer as TowerLayer;
use tower_service::Service;
use tracing::field::{Field, Visit, display};
use tracing::span::{Attributes, Id, Record};
use tracing::{Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::encoder::Beginning;
use super::{Logger, escape};
use crate::access::Observer;
use crate::context::RequestContext;
use crate::trace;

/// Under which target facts are told.
const FACTS: &str = "seaworthy::event";
/// Under which target requests are told.
const ACCESS: &str = "seaworthy::access";

/// Writes the events of `tracing` into a log: a layer for a `tracing_subscriber::Registry`.
///
/// A line has the fields of its event and, where it has none of that name, those of the spans around it, the innermost first. What
/// matters less than the [level](Logger::level) of the log is not written; fields whose names mean secrets are redacted.
#[derive(Debug, Clone)]
pub struct LogLayer {
    logger: Logger,
}

impl LogLayer {
    /// Writes events to `logger`.
    #[must_use]
    pub fn new(logger: Logger) -> Self {
        Self { logger }
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let level = level(*metadata.level());
        if level < self.logger.level() || matches!(metadata.target(), FACTS | ACCESS) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(around) = span.extensions().get::<Fields>() {
                fields.add(around);
            }
        }
        self.write(level, metadata.target(), &fields);
    }
}

impl LogLayer {
    fn write(&self, level: Level, target: &str, fields: &Fields) {
        let settings = self.logger.settings();
        let redactor = &settings.redactor;
        let message = redactor.text(&fields.message);
        self.logger.write(|encoder, out| match encoder.begin(SystemTime::now()) {
            Beginning::Json { frame, time } => {
                let mut line = frame.begin(out, time, level, &message);
                line.text("target", target);
                for (name, value) in &fields.others {
                    value.shown(name, redactor, |value| line.value(name, value));
                }
                if level == Level::Error {
                    line.object("error", |error| {
                        error.text("type", target);
                        error.text("message", &message);
                    });
                }
                line.end();
            }
            Beginning::Pretty { style, time } => {
                style.begin(out, time, level);
                escape::plain(out, &message);
                for (name, value) in &fields.others {
                    value.shown(name, redactor, |value| style.field(out, name, value));
                }
                out.push(b'\n');
            }
        });
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::TRACE => Level::Trace,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::INFO => Level::Info,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::ERROR => Level::Error,
    }
}

/// What a span or an event says.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Vec<(String, Owned)>,
}

#[derive(Debug, Clone)]
enum Owned {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
}

impl Owned {
    fn shown(&self, name: &str, redactor: &Redactor, write: impl FnOnce(Value<'_>)) {
        match self {
            Self::Text(text) => write(Value::Text(&redactor.value(name, text))),
            Self::Integer(integer) => write(Value::Integer(*integer)),
            Self::Float(float) => write(Value::Float(*float)),
            Self::Flag(flag) => write(Value::Flag(*flag)),
        }
    }
}

/// What every line has, and what the bridge of the `log` crate adds.
const OURS: [&str; 6] = ["time", "level", "service", "version", "target", "error"];

impl Fields {
    fn put(&mut self, field: &Field, value: Owned) {
        match (field.name(), value) {
            ("message", Owned::Text(text)) => self.message = text,
            (name, _) if name.starts_with("log.") => {}
            (name, value) => {
                // Names go into JSON as they are, and one that stands twice would break its readers.
                let allowed = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
                let mut name = name.replace(|character| !allowed(character), "_");
                if OURS.contains(&name.as_str()) {
                    name.insert_str(0, "field_");
                }
                match self.others.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => *known = value,
                    None => self.others.push((name, value)),
                }
            }
        }
    }

    /// Adds what is not known yet.
    fn add(&mut self, around: &Self) {
        for (name, value) in &around.others {
            if !self.others.iter().any(|(known, _)| known == name) {
                self.others.push((name.clone(), value.clone()));
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, Owned::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Owned::Text(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Owned::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, i64::try_from(value).map_or_else(|_| Owned::Text(value.to_string()), Owned::Integer));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Owned::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Owned::Flag(value));
    }
}

/// Wraps services in [`RequestSpan`].
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestSpanLayer(());

impl<S> TowerLayer<S> for RequestSpanLayer {
    type Service = RequestSpan<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestSpan { inner }
    }
}

/// Handles each request in a span `request` with its `request_id` and its `trace_id`, so that whatever the service says
/// meanwhile says whose doing it was. A task that is spawned takes it along by `tracing::Instrument::in_current_span`.
#[derive(Debug, Clone)]
pub struct RequestSpan<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for RequestSpan<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequestSpanFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let context = RequestContext::of(request.extensions());
        let id = context.and_then(RequestContext::request_id).and_then(|id| id.to_str().ok());
        let trace_id = trace::trace_id(&request).map(display);
        let span = tracing::info_span!("request", request_id = id, trace_id);
        let answer = span.in_scope(|| self.inner.call(request));
        RequestSpanFuture { answer, span }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`RequestSpan`].
    #[derive(Debug)]
    pub struct RequestSpanFuture<F> {
        #[pin]
        answer: F,
        span: Span,
    }
}

impl<F: Future> Future for RequestSpanFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        this.answer.poll(cx)
    }
}

/// The level of a fact decides the macro, which wants to know it when it is compiled.
macro_rules! tell {
    ($level:expr, $target:expr, $($said:tt)+) => {
        match $level {
            Level::Trace => tracing::trace!(target: $target, $($said)+),
            Level::Debug => tracing::debug!(target: $target, $($said)+),
            Level::Info => tracing::info!(target: $target, $($said)+),
            Level::Warn => tracing::warn!(target: $target, $($said)+),
            Level::Error => tracing::error!(target: $target, $($said)+),
        }
    };
}

/// Gives every fact to `tracing`, under the target `seaworthy::event`: its name as `event`, its fields as `fields`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingSink(());

impl Sink for TracingSink {
    fn emit(&self, event: &Event) {
        let mut fields = String::new();
        let redactor = Redactor::default();
        event.each_field(|name, value| {
            let separator = if fields.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = match value {
                Value::Text(text) => write!(fields, "{separator}{name}={:?}", redactor.value(name, text)),
                Value::Integer(integer) => write!(fields, "{separator}{name}={integer}"),
                Value::Float(float) => write!(fields, "{separator}{name}={float}"),
                Value::Flag(flag) => write!(fields, "{separator}{name}={flag}"),
                Value::Seconds(duration) => write!(fields, "{separator}{name}={}", duration.as_secs_f64()),
            };
        });
        let message = event.to_string();
        tell!(event.level(), FACTS, event = event.name(), fields, "{}", redactor.text(&message));
    }
}

/// Gives every request to `tracing` when it is over, under the target `seaworthy::access`. Without its query, which may hold
/// secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver(());

impl Observer for TracingObserver {
    fn finished(&self, request: &RequestFinished<'_>) {
        if !super::access::is_worth_a_line(request) {
            return;
        }
        let RequestFinished { request_id, trace_id, method, path, route, status, aborted, .. } = request;
        let (duration, refusal) = (request.duration.as_secs_f64(), request.refusal.map(Reason::name));
        let trace_id = trace_id.map(display);
        tell!(
            super::access::level(request),
            ACCESS,
            request_id,
            trace_id,
            method,
            path,
            route,
            status,
            duration,
            refusal,
            aborted,
            "request completed"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use tower::{ServiceBuilder, ServiceExt as _, service_fn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::log::Format;
    use crate::request_id::RequestIdLayer;

    /// What stands in the log when `say` was said.
    fn lines(format: Format, say: impl FnOnce()) -> Vec<String> {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let output = File::from(OwnedFd::from(writer));
        let logger = Logger::builder("shop").level(Level::Info).format(format).colour(false).output(output);
        let layer = LogLayer::new(logger.start().unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_event_is_a_line_with_its_own_fields_and_those_around_it() {
        let lines = lines(Format::Json, || {
            let outer = tracing::info_span!("outer", tenant = "a", shared = 1, late = tracing::field::Empty);
            outer.record("late", 7);
            let _outer = outer.enter();
            let _inner = tracing::info_span!("inner", shared = 2).entered();
            tracing::info!(order = 7_u64, total = 1.5, paid = true, "it\nis paid");
            tracing::debug!("not written");
            tracing::error!(level = "mine", api_key = "hunter2", error = ?std::fmt::Error, "cannot reach postgres://u:pw@db/x");
            tracing::info!(target: FACTS, "comes by itself");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        for (name, value) in [
            ("message", "it\nis paid".into()),
            ("level", "info".into()),
            ("service", "shop".into()),
            ("order", 7.into()),
            ("total", serde_json::json!(1.5)),
            ("paid", true.into()),
            ("shared", 2.into()),
            ("tenant", "a".into()),
            ("late", 7.into()),
        ] {
            assert_eq!(line[name], value, "{name} in {line}");
        }
        let line: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!((&line["field_level"], &line["api_key"]), (&"mine".into(), &"***".into()));
        assert_eq!(line["error"]["message"], "cannot reach postgres://u:***@db/x");
    }

    #[tokio::test]
    async fn what_a_handler_says_carries_the_id_and_the_trace_of_its_request() {
        let handler = service_fn(|_: Request<()>| async {
            tokio::task::yield_now().await;
            tracing::warn!("stock is low");
            Ok::<_, Infallible>(http::Response::new(()))
        });
        let service = ServiceBuilder::new().layer(RequestIdLayer::default()).layer(RequestSpanLayer::default());
        let mut request = Request::new(());
        request.headers_mut().insert("x-request-id", "abc-1".parse().unwrap());
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        request.headers_mut().insert("traceparent", parent.parse().unwrap());
        let call = service.service(handler).oneshot(request);
        let mut call = Some(call);
        let lines = lines(Format::Pretty, || {
            let call = call.take().unwrap();
            let runtime = std::thread::current();
            let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(runtime)));
            let mut call = std::pin::pin!(call);
            while call.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending() {
                std::thread::park_timeout(Duration::from_millis(10));
            }
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        let said = &lines[0]["00:00:00.000 ".len()..];
        assert_eq!(said, "WARN  stock is low request_id=abc-1 trace_id=0af7651916cd43dd8448eb211c80319c");
    }

    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn facts_and_requests_reach_a_subscriber_of_the_services_own() {
        use std::sync::{Arc, Mutex};

        #[derive(Clone, Default)]
        struct Heard(Arc<Mutex<Vec<String>>>);
        impl<S: Subscriber> Layer<S> for Heard {
            fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
                let mut fields = Fields::default();
                event.record(&mut fields);
                let others: Vec<_> = fields.others.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                let line = format!("{} {} {}", event.metadata().level(), fields.message, others.join(" "));
                self.0.lock().unwrap().push(line);
            }
        }
        let heard = Heard::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(heard.clone()), || {
            let reason = "cannot reach postgres://app:hunter2@db/x".to_owned();
            TracingSink::default().emit(&Event::CommandFailed { what: "migrate".to_owned(), reason });
            TracingObserver::default().finished(&RequestFinished { status: 503, ..crate::log::tests::request() });
        });
        let heard = heard.0.lock().unwrap().join("\n");
        assert!(heard.contains("ERROR migrate failed: cannot reach postgres://app:***@db/x"), "{heard}");
        assert!(heard.contains("ERROR request completed") && heard.contains("status=Integer(503)"), "{heard}");
        assert!(!heard.contains("hunter2"), "{heard}");
    }
}
