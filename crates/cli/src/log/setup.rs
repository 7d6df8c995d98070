//! What a log is set to, and the encoder that follows from it.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::SystemTime;

use seaworthy::core::event::{Event, RequestFinished};
use seaworthy::core::redact::Redactor;

use super::clock::Clock;
use super::{access, event, json, output, pretty};
use crate::config::{Log, LogFormat};
use crate::supervise::OutputLine;

/// What a log is made of.
#[derive(Debug)]
pub(crate) struct LogSetup {
    pub(crate) service: String,
    /// The version of the program, if anybody said it.
    pub(crate) version: Option<String>,
    pub(crate) log: Log,
    /// Whether pretty lines may be coloured.
    pub(crate) colour: bool,
    /// Where lines go; see [`stdout`].
    pub(crate) output: File,
}

/// Our stdout as a file: std's own handle flushes every line, behind a lock.
pub(crate) fn stdout() -> std::io::Result<File> {
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

/// What a reload may change.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Whether each request leaves a line.
    pub(super) access: bool,
    /// Whether that line shows the query.
    pub(super) query: bool,
    pub(super) redactor: Redactor,
}

impl Settings {
    pub(super) fn of(log: &Log) -> Self {
        Self { access: log.access, query: log.query, redactor: Redactor::new(&log.redact) }
    }
}

/// Makes lines of facts. A clone makes the same lines for another thread.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    format: Format,
    clock: Clock,
}

#[derive(Debug, Clone)]
enum Format {
    Json(json::Frame),
    Pretty(pretty::Style),
}

impl Encoder {
    pub(super) fn new(service: &str, version: Option<&str>, format: LogFormat, colour: bool) -> Self {
        let (format, clock) = match format {
            LogFormat::Json => (Format::Json(json::Frame::new(service, version)), Clock::utc()),
            LogFormat::Pretty => (Format::Pretty(pretty::Style::new(colour)), Clock::local()),
        };
        Self { format, clock }
    }

    /// Whether lines are for somebody who watches them come.
    pub(super) fn is_pretty(&self) -> bool {
        matches!(self.format, Format::Pretty(_))
    }

    pub(super) fn access(
        &mut self,
        out: &mut Vec<u8>,
        request: &RequestFinished<'_>,
        settings: &Settings,
        now: SystemTime,
    ) {
        let time = self.clock.read(now);
        match &self.format {
            Format::Json(frame) => access::json(out, frame, time, request, settings),
            Format::Pretty(style) => access::pretty(out, *style, time, request, settings),
        }
    }

    pub(super) fn event(&mut self, out: &mut Vec<u8>, event: &Event, redactor: &Redactor, now: SystemTime) {
        let time = self.clock.read(now);
        match &self.format {
            Format::Json(frame) => event::json(out, frame, time, event, redactor),
            Format::Pretty(style) => event::pretty(out, *style, time, event, redactor),
        }
    }

    pub(super) fn output(&mut self, out: &mut Vec<u8>, line: &OutputLine<'_>, now: SystemTime) {
        let time = self.clock.read(now);
        match &self.format {
            Format::Json(frame) => output::json(out, frame, time, line),
            Format::Pretty(style) => output::pretty(out, *style, time, line),
        }
    }
}
