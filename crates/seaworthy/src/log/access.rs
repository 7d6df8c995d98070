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

pub(super) fn json(out: &mut Vec<u8>, frame: &Frame, time: &[u8], request: &RequestFinished<'_>, settings: &Settings) {
    let message = match (request.refusal, request.aborted) {
        (Some(_), _) => "request refused",
        (None, true) => "request aborted",
        (None, false) => "request completed",
    };
    let mut line = frame.begin(out, time, level(request), message);
    if !request.request_id.is_empty() {
        line.text("request_id", request.request_id);
    }
    if let Some(trace_id) = request.trace_id {
        line.bytes("trace_id", &trace_id.digits());
    }
    line.text("method", request.method);
    if let Some(route) = request.route {
        line.text("route", route);
    }
    line.text("path", request.path);
    if let Some(query) = request.query.filter(|_| settings.query) {
        line.text("query", &settings.redactor.query(query));
    }
    line.integer("status", request.status);
    line.integer("bytes_in", request.bytes_in);
    line.integer("bytes_out", request.bytes_out);
    line.seconds("duration", request.duration);
    line.seconds("first_byte", request.first_byte);
    if let Some(upstream) = request.upstream {
        line.text("upstream", upstream.address);
        line.seconds("upstream_time", upstream.time);
        line.integer("attempts", upstream.attempts);
    }
    if let Some(client) = request.client {
        address(&mut line, "client", client);
    }
    if let Some(user_agent) = request.user_agent {
        line.bytes("user_agent", user_agent);
    }
    line.text("protocol", request.protocol.name());
    if let Some(refusal) = request.refusal {
        line.text("refusal", refusal.name());
    }
    if request.aborted {
        line.flag("aborted", true);
    }
    line.end();
}

/// An address without the machinery of formatting, where it is short enough for that to show.
fn address(line: &mut Line<'_>, name: &str, address: IpAddr) {
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
    line.bytes(name, &text[..length]);
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
