//! Makes lines of facts.

use std::time::SystemTime;

use seaworthy_core::event::{Event, RequestFinished};
use seaworthy_core::redact::Redactor;

use super::clock::Clock;
use super::json::Frame;
use super::pretty::Style;
use super::{Format, Settings, access, event};

/// Makes lines of facts. A clone makes the same lines for another thread.
#[derive(Debug, Clone)]
pub struct Encoder {
    look: Look,
    clock: Clock,
}

#[derive(Debug, Clone)]
enum Look {
    Json(Frame),
    Pretty(Style),
}

/// What a line is begun with, in either format; `time` as it stands in lines.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "`frame` and `style` are what their types say, `time` is told above")]
pub enum Beginning<'e> {
    /// One JSON object a line.
    Json { frame: &'e Frame, time: &'e [u8] },
    /// Lines for people.
    Pretty { style: Style, time: &'e [u8] },
}

impl Encoder {
    /// For lines of a service, in this version; pretty ones coloured or not.
    #[must_use]
    pub fn new(service: &str, version: Option<&str>, format: Format, colour: bool) -> Self {
        let (look, clock) = match format {
            Format::Json => (Look::Json(Frame::new(service, version)), Clock::utc()),
            Format::Pretty => (Look::Pretty(Style::new(colour)), Clock::local()),
        };
        Self { look, clock }
    }

    /// Whether lines are for somebody who watches them come.
    #[must_use]
    pub fn is_pretty(&self) -> bool {
        matches!(self.look, Look::Pretty(_))
    }

    /// For a line of another kind than those that are known here.
    pub fn begin(&mut self, now: SystemTime) -> Beginning<'_> {
        let time = self.clock.read(now);
        match &self.look {
            Look::Json(frame) => Beginning::Json { frame, time },
            Look::Pretty(style) => Beginning::Pretty { style: *style, time },
        }
    }

    pub(super) fn access(&mut self, out: &mut Vec<u8>, request: &RequestFinished<'_>, settings: &Settings) {
        match self.begin(request.ended) {
            Beginning::Json { frame, time } => access::json(out, frame, time, request, settings),
            Beginning::Pretty { style, time } => access::pretty(out, style, time, request, settings),
        }
    }

    pub(super) fn event(&mut self, out: &mut Vec<u8>, event: &Event, redactor: &Redactor, now: SystemTime) {
        match self.begin(now) {
            Beginning::Json { frame, time } => event::json(out, frame, time, event, redactor),
            Beginning::Pretty { style, time } => event::pretty(out, style, time, event, redactor),
        }
    }
}
