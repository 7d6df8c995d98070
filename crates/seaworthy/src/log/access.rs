//! The line of one request.

use std::io::Write;
use std::net::IpAddr;

use seaworthy_core::event::{Level, RequestFinished, Value};

use super::Settings;
use super::escape;
use super::json::{Frame, Line};
use super::pretty::{self, Style, Tone};

/// How much the line of a request matters: what the client did wrong is its own affair, what we did is not.
pub(super) fn level(request: &RequestFinished<'_>) -> Level {
    if request.status >= 500 { Level::Error } else { Level::Info }
}

/// Whether a request leaves a line at all: a probe or a scrape only when it failed.
pub(super) fn is_worth_a_line(request: &RequestFinished<'_>) -> bool {
    !request.quiet || request.status >= 400
}

/// A field whose name is known here: written with what stands around it in one go, as text of known length. The names one by one, by
/// [`Line::text`] and the like, were a third of what a line cost.
macro_rules! field {
    ($line:ident, text $name:literal: $value:expr) => {
        $line.raw(concat!(",\"", $name, "\":\""));
        $line.quoted($value);
    };
    // What has nothing in it that could need an escape, and is not looked through for it.
    ($line:ident, digits $name:literal: $value:expr) => {
        $line.raw(concat!(",\"", $name, "\":\""));
        $line.plain($value);
        $line.raw("\"");
    };
    ($line:ident, bytes $name:literal: $value:expr) => {
        $line.raw(concat!(",\"", $name, "\":\""));
        $line.quoted_bytes($value);
    };
    ($line:ident, integer $name:literal: $value:expr) => {
        $line.raw(concat!(",\"", $name, "\":"));
        $line.digits($value);
    };
    ($line:ident, seconds $name:literal: $value:expr) => {
        $line.raw(concat!(",\"", $name, "\":"));
        $line.decimals($value);
    };
}

pub(super) fn json(out: &mut Vec<u8>, frame: &Frame, time: &[u8], request: &RequestFinished<'_>, settings: &Settings) {
    let mut line = Line::begin(out, time, level(request));
    match (request.refusal, request.aborted) {
        (Some(_), _) => line.raw(",\"message\":\"request refused\""),
        (None, true) => line.raw(",\"message\":\"request aborted\""),
        (None, false) => line.raw(",\"message\":\"request completed\""),
    }
    line.identity(frame);
    if !request.request_id.is_empty() {
        field!(line, text "request_id": request.request_id);
    }
    if let Some(trace_id) = request.trace_id {
        field!(line, digits "trace_id": &trace_id.digits());
    }
    field!(line, text "method": request.method);
    if let Some(route) = request.route {
        field!(line, text "route": route);
    }
    field!(line, text "path": request.path);
    if let Some(query) = request.query.filter(|_| settings.query) {
        field!(line, text "query": &settings.redactor.query(query));
    }
    field!(line, integer "status": request.status);
    field!(line, integer "bytes_in": request.bytes_in);
    field!(line, integer "bytes_out": request.bytes_out);
    field!(line, seconds "duration": request.duration);
    field!(line, seconds "first_byte": request.first_byte);
    if let Some(upstream) = request.upstream {
        field!(line, text "upstream": upstream.address);
        field!(line, seconds "upstream_time": upstream.time);
        field!(line, integer "attempts": upstream.attempts);
    }
    if let Some(client) = request.client {
        line.raw(",\"client\":\"");
        address(&mut line, client);
    }
    if let Some(user_agent) = request.user_agent {
        field!(line, bytes "user_agent": user_agent);
    }
    field!(line, digits "protocol": request.protocol.name().as_bytes());
    if let Some(refusal) = request.refusal {
        field!(line, text "refusal": refusal.name());
    }
    if request.aborted {
        line.raw(",\"aborted\":true");
    }
    line.end();
}

/// An address without the machinery of formatting, where it is short enough for that to show.
fn address(line: &mut Line<'_>, address: IpAddr) {
    let mut text = [0; 48];
    let mut rest = &mut text[..];
    let room = rest.len();
    // The longest address has 45 characters.
    let _ = match address.to_canonical() {
        IpAddr::V4(address) => address.octets().iter().enumerate().try_for_each(|(index, octet)| {
            if index > 0 {
                rest.write_all(b".")?;
            }
            rest.write_all(itoa::Buffer::new().format(*octet).as_bytes())
        }),
        IpAddr::V6(address) => write!(rest, "{address}"),
    };
    let length = room - rest.len();
    line.plain(&text[..length]);
    line.raw("\"");
}

pub(super) fn pretty(out: &mut Vec<u8>, style: Style, time: &[u8], request: &RequestFinished<'_>, settings: &Settings) {
    style.begin(out, time, level(request));
    escape::plain(out, request.method);
    out.push(b' ');
    escape::plain(out, request.path);
    if let Some(query) = request.query.filter(|_| settings.query) {
        out.push(b'?');
        escape::plain(out, &settings.redactor.query(query));
    }
    out.push(b' ');
    let tone = match request.status {
        500.. => Tone::Red,
        400..500 => Tone::Yellow,
        300..400 => Tone::Cyan,
        _ => Tone::Green,
    };
    style.toned(out, tone, |out| out.extend_from_slice(itoa::Buffer::new().format(request.status).as_bytes()));
    out.push(b' ');
    pretty::duration(out, request.duration);
    if let Some(refusal) = request.refusal {
        style.field(out, "refused", Value::Text(refusal.name()));
    }
    if request.aborted {
        style.field(out, "aborted", Value::Flag(true));
    }
    if request.status >= 500 && !request.request_id.is_empty() {
        style.field(out, "request_id", Value::Text(request.request_id));
    }
    out.push(b'\n');
}
