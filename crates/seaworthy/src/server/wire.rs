//! How HTTP is spoken with clients, here and in the gateway of the binary: there the tasks are others, the wire is the same. It is no part of
//! the library's interface.
//!
//! ```
//! use http::Response;
//! use seaworthy::server::wire::is_event_stream;
//!
//! let events = Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
//! assert!(is_event_stream(&events) && !is_event_stream(&Response::new(())));
//! ```

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Response, StatusCode, header};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use seaworthy_core::connection::Protocol;
use tokio::io::{AsyncRead, ReadBuf};

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 250;

/// HTTP/1 with heads of so many bytes and fields at the most.
pub fn http1(head_size: usize, header_count: usize) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.max_headers(header_count)
        .max_header_size(head_size)
        // Room for the largest head, and for chunks of bodies that are worth a system call.
        .max_buf_size(head_size.max(64 * 1024))
        // No `pipeline_flush`: it holds every write back while something is left to read, and a head that cannot be read
        // is left for ever. Its 400 would never go out.
        .header_read_timeout(None);
    http
}

/// HTTP/2 with heads of so many bytes at the most.
pub fn http2<E: Clone>(executor: E, head_size: usize) -> http2::Builder<E> {
    let mut http = http2::Builder::new(executor);
    http.timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(head_size).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        // A peer that vanished without a word is noticed (there is no FIN from a host that lost its power).
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    http
}

/// What hyper found broken, and the status that it answered with by itself, or 0; `None` where the client merely went away.
#[must_use]
pub fn problem(error: &hyper::Error, protocol: Protocol) -> Option<(&'static str, u16)> {
    if error.is_parse_too_large() {
        let status = if error.to_string().contains("URI") { 414 } else { 431 };
        Some(("the request head is too large", status))
    } else if error.is_parse() {
        Some(("the request is malformed", 400))
    } else if error.is_incomplete_message() {
        Some(("the client left in the middle of its request", 0))
    } else if protocol == Protocol::Http2 && !is_departure(error) {
        Some(("the HTTP/2 connection broke a rule", 0))
    } else {
        None
    }
}

/// Whether the client merely went away.
fn is_departure(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    error.is_closed() || error.is_canceled() || error.is_timeout()
}

/// Throws away what a client still sends, until it closes; `came` is called for each time that something came.
pub fn poll_discard(mut from: Pin<&mut impl AsyncRead>, cx: &mut Context<'_>, mut came: impl FnMut()) -> Poll<()> {
    let mut scratch = [0; 4096];
    loop {
        let mut buffer = ReadBuf::new(&mut scratch);
        // An error here only says that the client is gone already.
        if ready!(from.as_mut().poll_read(cx, &mut buffer)).is_err() || buffer.filled().is_empty() {
            return Poll::Ready(());
        }
        came();
    }
}

/// Whether the answer goes on until somebody ends it (WHATWG HTML, 9.2).
#[must_use]
pub fn is_event_stream<B>(answer: &Response<B>) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    answer.status() == StatusCode::OK && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
