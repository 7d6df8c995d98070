//! Lines for people: the time of day, a level, a message, what belongs to it.

use std::io::Write;
use std::time::Duration;

use seaworthy_core::event::{Level, Value};

use super::escape;

/// How lines look.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub(super) colour: bool,
}

/// SGR parameters (ECMA-48, 8.3.117).
#[derive(Debug, Clone, Copy)]
pub enum Tone {
    /// Grey, for what matters little.
    Dim,
    /// For errors.
    Red,
    /// For warnings.
    Yellow,
    /// For what is well.
    Green,
    /// For names.
    Cyan,
}

impl Tone {
    fn parameter(self) -> &'static str {
        match self {
            Self::Dim => "2",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Green => "32",
            Self::Cyan => "36",
        }
    }
}

impl Style {
    /// With colours, or without.
    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Whether lines are coloured.
    #[must_use]
    pub fn is_coloured(self) -> bool {
        self.colour
    }

    /// Begins a line with its time and level.
    pub fn begin(self, out: &mut Vec<u8>, time: &[u8], level: Level) {
        let (name, tone) = match level {
            Level::Trace => ("TRACE", Tone::Dim),
            Level::Debug => ("DEBUG", Tone::Dim),
            Level::Info => ("INFO ", Tone::Green),
            Level::Warn => ("WARN ", Tone::Yellow),
            Level::Error => ("ERROR", Tone::Red),
        };
        self.label(out, time, name, tone);
    }

    /// Begins a line with its time and any five letters.
    pub fn label(self, out: &mut Vec<u8>, time: &[u8], label: &str, tone: Tone) {
        self.toned(out, Tone::Dim, |out| out.extend_from_slice(time));
        out.push(b' ');
        self.toned(out, tone, |out| out.extend_from_slice(label.as_bytes()));
        out.push(b' ');
    }

    /// What `write` appends, in a colour.
    pub fn toned(self, out: &mut Vec<u8>, tone: Tone, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.colour {
            return write(out);
        }
        // A write into memory does not fail.
        let _ = write!(out, "\u{1b}[{}m", tone.parameter());
        write(out);
        out.extend_from_slice(b"\x1b[0m");
    }

    /// Appends ` name=value`.
    pub fn field(self, out: &mut Vec<u8>, name: &str, value: Value<'_>) {
        out.push(b' ');
        self.toned(out, Tone::Dim, |out| {
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
        });
        let _ = match value {
            Value::Text(text) if text.is_empty() || text.contains([' ', '"', '=']) => {
                escape::plain(out, &format!("{text:?}"));
                Ok(())
            }
            Value::Text(text) => {
                escape::plain(out, text);
                Ok(())
            }
            Value::Integer(integer) => write!(out, "{integer}"),
            Value::Float(float) => write!(out, "{float}"),
            Value::Flag(flag) => write!(out, "{flag}"),
            Value::Seconds(duration) => {
                self::duration(out, duration);
                Ok(())
            }
        };
    }
}

/// Appends a duration with three figures at most: `1.2ms`, `340µs`, `12.0s`.
pub(super) fn duration(out: &mut Vec<u8>, duration: Duration) {
    let _ = match duration.as_micros() {
        0 => write!(out, "0s"),
        micros @ 1..1000 => write!(out, "{micros}µs"),
        1000..1_000_000 => write!(out, "{:.1}ms", duration.as_secs_f64() * 1e3),
        _ => write!(out, "{:.1}s", duration.as_secs_f64()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn colours_are_set_and_taken_back() {
        let coloured = said(|out| Style::new(true).begin(out, b"T", Level::Error));
        assert_eq!(coloured, "\u{1b}[2mT\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m ");
        assert_eq!(said(|out| Style::new(false).begin(out, b"T", Level::Info)), "T INFO  ");
    }

    #[test]
    fn a_value_with_spaces_is_quoted_and_never_ends_the_line() {
        let style = Style::new(false);
        assert_eq!(said(|out| style.field(out, "a", Value::Text("b c\n"))), r#" a="b c\n""#);
        assert_eq!(said(|out| style.field(out, "a", Value::Text("b\u{1b}"))), r" a=b\u001b");
    }

    #[test]
    fn durations_keep_the_figures_that_one_reads() {
        for (micros, text) in [(0, "0s"), (340, "340µs"), (1_240, "1.2ms"), (12_000_000, "12.0s")] {
            assert_eq!(said(|out| duration(out, Duration::from_micros(micros))), text);
        }
    }
}
