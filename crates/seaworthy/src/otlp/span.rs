//! One span, as OTLP has it.
//!
//! Names of attributes are those of the OpenTelemetry semantic conventions for HTTP spans:
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seaworthy_core::trace::{SpanId, TraceId};

use super::wire;

/// A longer text is cut: no request may fill the buffer of all others.
const LONGEST: usize = 2048;

/// The side of a call that a span shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Kind {
    /// Work within this process.
    #[default]
    Internal = 1,
    /// A request that is answered.
    Server = 2,
    /// A request that is made.
    Client = 3,
    /// A message that is sent to a queue.
    Producer = 4,
    /// A message that is taken from a queue.
    Consumer = 5,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Cut beyond 2048 bytes.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// Any number.
    Float(f64),
    /// Yes or no.
    Flag(bool),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// Who a span is, and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    /// As `traceparent` has it.
    pub(super) sampled: bool,
}

/// A span that is being written, attribute by attribute.
#[derive(Debug)]
pub(super) struct Attributes<'b>(&'b mut Vec<u8>);

/// The fields of `Span` in `opentelemetry/proto/trace/v1/trace.proto`.
mod field {
    pub(super) const TRACE_ID: u32 = 1;
    pub(super) const SPAN_ID: u32 = 2;
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START: u32 = 7;
    pub(super) const END: u32 = 8;
    pub(super) const ATTRIBUTES: u32 = 9;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
}

/// `ScopeSpans.spans`: a run of encoded spans is a part of that message as it stands.
pub(super) const SPANS: u32 = 2;

/// The code of `Status` that says that something went wrong.
const ERROR: u64 = 2;

/// Appends a span to `out`.
pub(super) fn encode(
    out: &mut Vec<u8>,
    place: Place,
    kind: Kind,
    name: &[&str],
    times: (SystemTime, Duration),
    failed: Option<&str>,
    attributes: impl FnOnce(&mut Attributes<'_>),
) {
    wire::message(out, SPANS, |out| {
        wire::bytes(out, field::TRACE_ID, place.trace.bytes());
        wire::bytes(out, field::SPAN_ID, &place.id.bytes());
        if let Some(parent) = place.parent {
            wire::bytes(out, field::PARENT_SPAN_ID, &parent.bytes());
        }
        wire::prefix(out, field::NAME, name.iter().map(|part| cut(part).len()).sum());
        for part in name {
            out.extend_from_slice(cut(part).as_bytes());
        }
        wire::integer(out, field::KIND, kind as u64);
        let (start, took) = times;
        let start = nanoseconds(start);
        wire::fixed64(out, field::START, start);
        wire::fixed64(out, field::END, start.saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)));
        attributes(&mut Attributes(out));
        if let Some(reason) = failed {
            wire::message(out, field::STATUS, |out| {
                wire::bytes(out, 2, cut(reason).as_bytes());
                wire::integer(out, 3, ERROR);
            });
        }
        wire::fixed32(out, field::FLAGS, u32::from(place.sampled));
    });
}

/// A clock before 1970 is not set yet; there is nothing better to say than its zero.
pub(super) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}

impl Attributes<'_> {
    pub(super) fn text(&mut self, key: &str, value: &str) {
        attribute_text(self.0, field::ATTRIBUTES, key, value);
    }

    /// Text as a client sent it. What is no UTF-8 is replaced.
    pub(super) fn bytes(&mut self, key: &str, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) => self.text(key, text),
            Err(_) => self.text(key, &String::from_utf8_lossy(value)),
        }
    }

    pub(super) fn integer(&mut self, key: &str, value: i64) {
        // A negative number is written as its two's complement.
        let length = wire::varint_length(usize::try_from(value).unwrap_or(usize::MAX));
        self.any(key, 1 + length, |out| wire::integer(out, 3, value.cast_unsigned()));
    }

    pub(super) fn float(&mut self, key: &str, value: f64) {
        self.any(key, 9, |out| wire::fixed64(out, 4, value.to_bits()));
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.any(key, 2, |out| wire::integer(out, 2, u64::from(value)));
    }

    pub(super) fn value(&mut self, key: &str, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.text(key, text),
            Value::Integer(number) => self.integer(key, *number),
            Value::Float(number) => self.float(key, *number),
            Value::Flag(flag) => self.flag(key, *flag),
        }
    }

    fn any(&mut self, key: &str, length: usize, value: impl FnOnce(&mut Vec<u8>)) {
        wire::prefix(self.0, field::ATTRIBUTES, wire::field_length(1, key.len()) + wire::field_length(2, length));
        wire::bytes(self.0, 1, key.as_bytes());
        wire::prefix(self.0, 2, length);
        value(self.0);
    }
}

/// A `KeyValue` with text, as it stands in spans and in resources.
pub(super) fn attribute_text(out: &mut Vec<u8>, field: u32, key: &str, value: &str) {
    let value = cut(value);
    let any = wire::field_length(1, value.len());
    wire::prefix(out, field, wire::field_length(1, key.len()) + wire::field_length(2, any));
    wire::bytes(out, 1, key.as_bytes());
    wire::prefix(out, 2, any);
    wire::bytes(out, 1, value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let long = "ö".repeat(LONGEST);
        assert_eq!(cut(&long).len(), LONGEST);
        assert_eq!(cut(&format!("a{long}")).len(), LONGEST - 1);
        assert_eq!(cut("short"), "short");
    }
}
