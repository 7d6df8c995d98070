//! Spans of an application's own: calls to others, and whatever else takes time.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use seaworthy_core::trace::{Sampler, SpanId, TraceId, Traceparent};

use super::buffer::Spans;
use super::span::{self, Kind, Place, Value};

/// Makes spans. Clones are the same tracer.
#[derive(Debug, Clone)]
pub struct Tracer {
    spans: Spans,
    sampler: Sampler,
    on_error: bool,
}

/// A span that has begun. Nothing is exported of one that is dropped without [`Span::end`].
///
/// ```no_run
/// # fn example(tracer: &seaworthy::otlp::Tracer, incoming: Option<&http::HeaderValue>) {
/// use seaworthy::otlp::Kind;
///
/// let mut span = tracer.begin("POST", Kind::Client, incoming.map(http::HeaderValue::as_bytes));
/// let header = span.traceparent(); // goes out with the call
/// span.set("server.address", "api.stripe.com");
/// span.set("http.response.status_code", 200);
/// span.end();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a span is exported when it ends"]
pub struct Span {
    tracer: Tracer,
    place: Place,
    kind: Kind,
    name: Cow<'static, str>,
    start: SystemTime,
    attributes: Vec<(Cow<'static, str>, Value<'static>)>,
    failed: Option<Cow<'static, str>>,
}

/// More attributes are dropped: the default of the OpenTelemetry specification.
const MOST_ATTRIBUTES: usize = 128;

impl Tracer {
    pub(super) fn new(spans: Spans, sampler: Sampler, on_error: bool) -> Self {
        Self { spans, sampler, on_error }
    }

    /// Begins a span below whoever sent `traceparent`; without one, or with one that is invalid, a trace of its own.
    pub fn begin(&self, name: impl Into<Cow<'static, str>>, kind: Kind, traceparent: Option<&[u8]>) -> Span {
        self.begin_below(name, kind, traceparent.and_then(Traceparent::parse))
    }

    /// As [`Tracer::begin`], with a parent that was read already.
    pub fn begin_below(&self, name: impl Into<Cow<'static, str>>, kind: Kind, parent: Option<Traceparent>) -> Span {
        let trace = parent.map_or_else(|| TraceId::from_random(fastrand::u128(..)), |parent| parent.trace);
        let place = Place {
            trace,
            id: SpanId::from_random(fastrand::u64(..)),
            parent: parent.map(|parent| parent.parent),
            sampled: self.sampler.samples(parent, trace),
        };
        Span {
            tracer: self.clone(),
            place,
            kind,
            name: name.into(),
            start: SystemTime::now(),
            attributes: Vec::new(),
            failed: None,
        }
    }
}

impl Span {
    /// What those who are called are told: this span is their parent.
    pub fn traceparent(&self) -> Traceparent {
        Traceparent { trace: self.place.trace, parent: self.place.id, sampled: self.place.sampled }
    }

    /// [`Span::traceparent`] as it goes into a header.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.traceparent().header()).expect("hexadecimal digits and hyphens are visible ASCII")
    }

    /// Whether it will be seen if nothing goes wrong.
    pub fn is_sampled(&self) -> bool {
        self.place.sampled
    }

    /// Another name, once more is known.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        self.name = name.into();
    }

    /// Adds an attribute. Give no secrets: nothing is redacted here.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value<'static>>) {
        if self.attributes.len() < MOST_ATTRIBUTES {
            self.attributes.push((key.into(), value.into()));
        }
    }

    /// It went wrong: it is exported though its trace is not sampled, unless that is switched off.
    pub fn fail(&mut self, reason: impl Into<Cow<'static, str>>) {
        self.failed = Some(reason.into());
    }

    /// It is over now.
    pub fn end(self) {
        let took = self.start.elapsed().unwrap_or(Duration::ZERO);
        self.end_after(took);
    }

    /// It took this long.
    pub fn end_after(self, took: Duration) {
        let Self { tracer, place, kind, name, start, attributes, failed } = self;
        let seen = place.sampled || (tracer.on_error && failed.is_some());
        if !seen {
            return;
        }
        tracer.spans.with(|buffer| {
            buffer.append(|out, _| {
                span::encode(out, place, kind, &[&name], (start, took), failed.as_deref(), |into| {
                    for (key, value) in &attributes {
                        into.value(key, value);
                    }
                });
                1
            });
        });
    }
}
