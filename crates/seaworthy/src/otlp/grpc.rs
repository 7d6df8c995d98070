//! One unary call of gRPC: a message with a prefix of five bytes, and a status in the trailers.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, header, request};
use http_body_util::Full;

use super::export::{ExportError, refused, rejected};
use crate::post::Reply;

/// No compression flag, and the length.
const PREFIX: usize = 5;

pub(super) fn request(
    request: request::Builder,
    message: &Bytes,
    timeout: Duration,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut body = BytesMut::with_capacity(PREFIX + message.len());
    body.put_u8(0);
    // A batch is bounded far below four gigabytes.
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.extend_from_slice(message);
    request
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header("grpc-timeout", format!("{}m", timeout.as_millis().min(99_999_999)))
        .body(Full::new(body.freeze()))
}

pub(super) fn outcome(reply: &Reply) -> Result<u64, ExportError> {
    if !reply.status.is_success() {
        return Err(refused(reply.status.as_u16().to_string(), "that is not gRPC: is the port one of HTTP?"));
    }
    // A call without a message has its status among the headers.
    let Some((code, message)) = status(&reply.trailers).or_else(|| status(&reply.headers)) else {
        return Err(refused("no gRPC status", ""));
    };
    match code {
        0 => Ok(rejected(reply.body.get(PREFIX..).unwrap_or_default())),
        // Those that the OTLP specification calls retryable.
        1 | 4 | 10 | 11 | 14 | 15 => {
            Err(ExportError::Refused { status: format!("gRPC status {code}"), message, again: true, after: None })
        }
        code => Err(refused(format!("gRPC status {code}"), message)),
    }
}

fn status(headers: &HeaderMap) -> Option<(u32, String)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let code = text("grpc-status")?.trim().parse().ok()?;
    Some((code, text("grpc-message").unwrap_or_default().to_owned()))
}
