//! JSON lines, written by hand into a buffer that is used again: no tree, no allocation.

use std::io::Write;
use std::time::Duration;

use seaworthy_core::event::{Level, Value};

use super::escape;

/// What all lines of a process have in common, rendered once.
#[derive(Debug, Clone)]
pub struct Frame {
    service: Box<[u8]>,
    version: Box<[u8]>,
    /// Both, as most lines have them.
    identity: Box<[u8]>,
}

impl Frame {
    /// What every line says of `service`.
    pub fn new(service: &str, version: Option<&str>) -> Self {
        let mut field = (Vec::new(), Vec::new());
        Line(&mut field.0).text("service", service);
        if let Some(version) = version {
            Line(&mut field.1).text("version", version);
        }
        let identity = [&*field.0, &*field.1].concat().into();
        Self { service: field.0.into(), version: field.1.into(), identity }
    }

    /// Begins a line with time, level, message, service and version.
    pub fn begin<'o>(&self, out: &'o mut Vec<u8>, time: &[u8], level: Level, message: &str) -> Line<'o> {
        let mut line = Line::begin(out, time, level);
        line.text("message", message);
        line.identity(self);
        line
    }
}

/// A line under way. Names go in as they are: they are the program's own and need no escaping.
#[derive(Debug)]
pub struct Line<'o>(&'o mut Vec<u8>);

impl<'o> Line<'o> {
    /// Begins a line with time and level.
    pub fn begin(out: &'o mut Vec<u8>, time: &[u8], level: Level) -> Self {
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(time);
        out.extend_from_slice(b"\",\"level\":\"");
        out.extend_from_slice(level.name().as_bytes());
        out.push(b'"');
        Self(out)
    }

    /// Goes on with what `out` holds so far.
    pub fn of(out: &'o mut Vec<u8>) -> Self {
        Self(out)
    }

    /// What the service is called.
    pub fn service(&mut self, frame: &Frame) {
        self.0.extend_from_slice(&frame.service);
    }

    /// Service and version.
    pub(super) fn identity(&mut self, frame: &Frame) {
        self.0.extend_from_slice(&frame.identity);
    }

    /// As it is, of what needs no escape.
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        self.plain(text.as_bytes());
    }

    /// As it is, of what needs no escape: digits, say.
    #[inline]
    pub(super) fn plain(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A whole number, behind its name.
    #[inline]
    pub(super) fn digits(&mut self, integer: impl itoa::Integer) {
        self.0.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
    }

    /// A duration, behind its name.
    #[inline]
    pub(super) fn decimals(&mut self, duration: Duration) {
        self.digits(duration.as_secs());
        // A million more, so that there are six digits behind the first, whose place is the point's.
        let mut digits = itoa::Buffer::new();
        if let Some(digits) = digits.format(1_000_000 + duration.subsec_micros()).as_bytes().first_chunk::<7>() {
            let mut text = *digits;
            text[0] = b'.';
            self.0.extend_from_slice(&text);
        }
    }

    /// Text behind its name and its first quote.
    #[inline]
    pub(super) fn quoted(&mut self, text: &str) {
        escape::json(self.0, text);
        self.0.push(b'"');
    }

    /// Text that may be no UTF-8, behind its name and its first quote.
    #[inline]
    pub(super) fn quoted_bytes(&mut self, bytes: &[u8]) {
        escape::json_bytes(self.0, bytes);
        self.0.push(b'"');
    }

    /// Nothing where nobody said a version.
    pub fn version(&mut self, frame: &Frame) {
        self.0.extend_from_slice(&frame.version);
    }

    /// Text, escaped.
    #[inline]
    pub fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.0.push(b'"');
        self.quoted(text);
    }

    /// Text that may be no UTF-8.
    #[inline]
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.name(name);
        self.0.push(b'"');
        self.quoted_bytes(bytes);
    }

    /// A whole number.
    #[inline]
    pub fn integer(&mut self, name: &str, integer: impl itoa::Integer) {
        self.name(name);
        self.digits(integer);
    }

    /// True or false.
    pub fn flag(&mut self, name: &str, flag: bool) {
        self.name(name);
        self.0.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// In seconds, to the microsecond.
    #[inline]
    pub fn seconds(&mut self, name: &str, duration: Duration) {
        self.name(name);
        self.decimals(duration);
    }

    /// Whatever it is.
    pub fn value(&mut self, name: &str, value: Value<'_>) {
        match value {
            Value::Text(text) => self.text(name, text),
            Value::Integer(integer) => self.integer(name, integer),
            Value::Flag(flag) => self.flag(name, flag),
            Value::Seconds(duration) => self.seconds(name, duration),
            Value::Float(float) => {
                self.name(name);
                // JSON knows no infinity (RFC 8259, 6). A write into memory does not fail.
                let _ = if float.is_finite() { write!(self.0, "{float}") } else { write!(self.0, "null") };
            }
        }
    }

    /// An object, of the fields that `fields` writes.
    pub fn object(&mut self, name: &str, fields: impl FnOnce(&mut Line<'_>)) {
        self.name(name);
        self.0.push(b'{');
        let start = self.0.len();
        fields(&mut Line(self.0));
        // The first field began with a comma too.
        if self.0.get(start) == Some(&b',') {
            self.0.remove(start);
        }
        self.0.push(b'}');
    }

    /// Ends the line.
    pub fn end(self) {
        self.0.extend_from_slice(b"}\n");
    }

    #[inline]
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_what_all_have_and_goes_on_with_its_own() {
        let mut out = Vec::new();
        let frame = Frame::new("shop \"2\"", Some("1.2"));
        let mut line = frame.begin(&mut out, b"T", Level::Warn, "hi");
        line.integer("n", -3_i64);
        line.seconds("took", Duration::from_nanos(61_002_003_999));
        line.value("none", Value::Float(f64::NAN));
        line.value("half", Value::Float(0.5));
        line.object("error", |error| error.text("type", "x"));
        line.flag("yes", true);
        line.end();
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            concat!(
                r#"{"time":"T","level":"warn","message":"hi","service":"shop \"2\"","version":"1.2","n":-3,"#,
                r#""took":61.002003,"none":null,"half":0.5,"error":{"type":"x"},"yes":true}"#,
                "\n"
            )
        );
    }
}
