//! A request on its way out: its head, and its body as the client gives it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body::Body;
use seaworthy::context::RequestContext;

use super::chunked::may_trail;
use super::connection::Kept;
use super::{Framing, request};
use crate::proxy::{Failure, InnerBody};

/// Data from this size on is not copied behind what stands before it.
const APART_FROM: usize = 4 * 1024;

/// What of a request has still to go out, beside what its connection holds already.
#[derive(Debug)]
pub(crate) struct Sending {
    /// `None` once all of it was taken.
    body: Option<InnerBody>,
    chunked: bool,
    data: Bytes,
    /// What follows the data.
    tail: &'static [u8],
}

impl Sending {
    /// Writes the head of `request` into the buffer of `kept`, and takes its body along.
    pub(crate) fn begin(kept: &mut Kept, request: &mut Request<InnerBody>, websocket: bool) -> Self {
        let framing = framing(request);
        let peer = RequestContext::of(request.extensions()).and_then(|context| context.peer_header.as_ref());
        request::write(kept.outbox(), request, peer, framing, websocket);
        let body = match framing {
            Framing::Length(0) | Framing::Empty | Framing::UntilClose => None,
            Framing::Length(_) | Framing::Chunked => Some(std::mem::take(request.body_mut())),
        };
        Self { body, chunked: framing == Framing::Chunked, data: Bytes::new(), tail: b"" }
    }

    /// Sends what can be sent now; ready when all of it has gone.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, kept: &mut Kept) -> Poll<Result<(), Failure>> {
        loop {
            ready!(kept.poll_send(cx, &mut self.data, &mut self.tail));
            let Some(body) = &mut self.body else { return Poll::Ready(Ok(())) };
            // Nobody reads it any more; what the program says to that is read.
            if !kept.is_whole() {
                self.body = None;
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.data(kept, data),
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers()
                            && self.chunked
                        {
                            self.body = None;
                            end(kept.outbox(), &trailers);
                        }
                    }
                },
                Some(Err(error)) => return Poll::Ready(Err(Failure::of_body(&error))),
                None => {
                    self.body = None;
                    if self.chunked {
                        kept.outbox().extend_from_slice(b"0\r\n\r\n");
                    }
                }
            }
            if self.body.as_ref().is_some_and(|body| !self.chunked && body.is_end_stream()) {
                self.body = None;
            }
        }
    }

    fn data(&mut self, kept: &mut Kept, data: Bytes) {
        // An empty chunk would be the last one.
        if data.is_empty() {
            return;
        }
        let outbox = kept.outbox();
        if self.chunked {
            hexadecimal(outbox, data.len());
            outbox.extend_from_slice(b"\r\n");
            self.tail = b"\r\n";
        }
        if data.len() < APART_FROM {
            outbox.extend_from_slice(&data);
            outbox.extend_from_slice(std::mem::take(&mut self.tail));
        } else {
            self.data = data;
        }
    }
}

/// How the body goes out: by its length where that is known.
fn framing(request: &Request<InnerBody>) -> Framing {
    let body = request.body();
    match body.size_hint().exact() {
        Some(0) => {
            // Some servers refuse a method that has a body and says nothing of its length (411).
            let told = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH)
                || request.headers().contains_key(header::CONTENT_LENGTH);
            if told { Framing::Length(0) } else { Framing::Empty }
        }
        Some(length) => Framing::Length(length),
        None if body.is_end_stream() => Framing::Empty,
        None => Framing::Chunked,
    }
}

fn hexadecimal(out: &mut Vec<u8>, number: usize) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[number >> (4 * place) & 15]);
    }
}

/// The last chunk, and what trails it.
fn end(out: &mut Vec<u8>, trailers: &http::HeaderMap) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.iter().filter(|(name, _)| may_trail(name)) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_chunk_size_is_its_length_in_hexadecimal(length: usize) {
            let mut out = Vec::new();
            hexadecimal(&mut out, length);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{length:x}"));
        }
    }
}
