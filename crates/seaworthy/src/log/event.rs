//! The line of a fact that is not a request.

use seaworthy_core::event::{Event, Level, Value};
use seaworthy_core::redact::Redactor;

use super::escape;
use super::json::Frame;
use super::pretty::Style;

pub(super) fn json(out: &mut Vec<u8>, frame: &Frame, time: &[u8], event: &Event, redactor: &Redactor) {
    let message = event.to_string();
    let message = redactor.text(&message);
    let mut line = frame.begin(out, time, event.level(), &message);
    line.text("event", event.name());
    let is_error = event.level() == Level::Error;
    event.each_field(|name, value| {
        // Of an error the text is in the object of that name.
        if !is_error || name != "error" {
            each(redactor, name, value, |value| line.value(name, value));
        }
    });
    if is_error {
        line.object("error", |error| {
            error.text("type", event.name());
            error.text("message", &message);
            if let Event::Panicked { place, .. } = event {
                error.text("stack", place);
            }
        });
    }
    line.end();
}

pub(super) fn pretty(out: &mut Vec<u8>, style: Style, time: &[u8], event: &Event, redactor: &Redactor) {
    style.begin(out, time, event.level());
    escape::plain(out, &redactor.text(&event.to_string()));
    event.each_field(|name, value| each(redactor, name, value, |value| style.field(out, name, value)));
    out.push(b'\n');
}

fn each(redactor: &Redactor, name: &str, value: Value<'_>, write: impl FnOnce(Value<'_>)) {
    match value {
        Value::Text(text) => write(Value::Text(&redactor.value(name, text))),
        other => write(other),
    }
}
