//! A line that the program wrote.
//!
//! A JSON object keeps its fields and gains those that tell whose it is, unless it has them itself: a name that stands
//! twice would break its readers (RFC 8259, 4). Anything else becomes the message of a line of ours. The level of our log
//! does not concern the program's lines: what it writes, it was told to write.

use std::fmt;
use std::time::SystemTime;

use seaworthy::core::event::{Level, Stream};
use seaworthy::log::{Beginning, Encoder, Frame, Line, Style, Tone, escape};
use serde::Deserializer;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};

use crate::supervise::{OutputLine, Source};

/// Appends a line of the program.
pub(super) fn append(encoder: &mut Encoder, out: &mut Vec<u8>, line: &OutputLine<'_>, now: SystemTime) {
    match encoder.begin(now) {
        Beginning::Json { frame, time } => json(out, frame, time, line),
        Beginning::Pretty { style, time } => pretty(out, style, time, line),
    }
}

pub(super) fn json(out: &mut Vec<u8>, frame: &Frame, time: &[u8], line: &OutputLine<'_>) {
    let whole = !line.continued && !line.unfinished;
    let object = whole.then(|| Fields::of(line.bytes)).flatten();
    let (mut target, fields) = if let Some(fields) = object {
        let text = line.bytes.trim_ascii();
        // Raw control characters cannot be in it: it is valid JSON on one line, but for space between its parts.
        out.extend(text[..text.len() - 1].iter().map(|byte| if byte.is_ascii_whitespace() { b' ' } else { *byte }));
        (Line::of(out), fields)
    } else {
        let mut target = Line::begin(out, time, Level::Info);
        target.bytes("message", line.bytes);
        (target, Fields::default().with(Name::Time))
    };
    if !fields.has(Name::Time) {
        target.bytes("time", time);
    }
    if !fields.has(Name::Service) {
        target.service(frame);
    }
    if !fields.has(Name::Version) {
        target.version(frame);
    }
    if !fields.has(Name::Stream) {
        target.text("stream", line.stream.name());
    }
    if !fields.has(Name::Pid) {
        target.integer("pid", line.pid);
    }
    if let Source::Command(name) = line.source {
        target.text("command", name);
    }
    if line.continued {
        target.flag("continued", true);
    }
    if line.unfinished {
        target.flag("unfinished", true);
    }
    target.end();
}

pub(super) fn pretty(out: &mut Vec<u8>, style: Style, time: &[u8], line: &OutputLine<'_>) {
    let tone = if line.stream == Stream::Stderr { Tone::Yellow } else { Tone::Cyan };
    style.label(out, time, "APP  ", tone);
    if let Source::Command(name) = line.source {
        style.toned(out, Tone::Dim, |out| escape::plain(out, name));
        out.push(b' ');
    }
    if style.is_coloured() {
        coloured(out, line.bytes);
    } else {
        without_colour(line.bytes, |text| escape::plain_bytes(out, text), |_| {});
    }
    out.push(b'\n');
}

/// The program's colours are kept; they end with the line.
fn coloured(out: &mut Vec<u8>, text: &[u8]) {
    let out = std::cell::RefCell::new(out);
    let mut any = false;
    without_colour(
        text,
        |text| escape::plain_bytes(&mut out.borrow_mut(), text),
        |colour| {
            out.borrow_mut().extend_from_slice(colour);
            any = true;
        },
    );
    if any {
        out.borrow_mut().extend_from_slice(b"\x1b[0m");
    }
}

/// Gives text and what sets its colour (`ESC [ … m`) to two consumers, in order.
fn without_colour(mut text: &[u8], mut plain: impl FnMut(&[u8]), mut colour: impl FnMut(&[u8])) {
    while let Some(at) = text.windows(2).position(|pair| pair == b"\x1b[") {
        let parameters = text[at + 2..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')).count();
        let end = at + 2 + parameters;
        plain(&text[..at]);
        if text.get(end) == Some(&b'm') {
            colour(&text[at..=end]);
            text = &text[end + 1..];
        } else {
            plain(&text[at..at + 2]);
            text = &text[at + 2..];
        }
    }
    plain(text);
}

/// Which of our fields an object of the program has.
#[derive(Debug, Default, Clone, Copy)]
struct Fields([bool; 6]);

impl Fields {
    fn with(mut self, name: Name) -> Self {
        self.0[name as usize] = true;
        self
    }

    fn has(self, name: Name) -> bool {
        self.0[name as usize]
    }

    /// `None` where the text is no JSON object, or an empty one, which says nothing.
    fn of(text: &[u8]) -> Option<Self> {
        if text.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        // Values that are passed over are not looked into, so that UTF-8 is up to us.
        let mut json = serde_json::Deserializer::from_str(std::str::from_utf8(text).ok()?);
        let fields = json.deserialize_map(FieldsVisitor).ok()?;
        json.end().ok()?;
        fields
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Option<Fields>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut fields, mut empty) = (Fields::default(), true);
        while let Some(name) = map.next_key::<Name>()? {
            empty = false;
            fields = fields.with(name);
            map.next_value::<IgnoredAny>()?;
        }
        Ok((!empty).then_some(fields))
    }
}

/// A name of a field, as far as it concerns us. Those of the time are what loggers write by default: pino `time`,
/// bunyan `time`, winston and logback `timestamp`, zap `ts`, ECS `@timestamp`.
#[derive(Debug, Clone, Copy)]
enum Name {
    Time,
    Service,
    Version,
    Stream,
    Pid,
    Other,
}

impl<'de> de::Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "time" | "timestamp" | "@timestamp" | "ts" => Name::Time,
                    "service" => Name::Service,
                    "version" => Name::Version,
                    "stream" => Name::Stream,
                    "pid" => Name::Pid,
                    _ => Name::Other,
                })
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}
