//! Just enough HTTP/2 to see what a server says at the end: frames, not streams of a library.
//!
//! A library hides GOAWAY behind its own shutdown; here each frame is seen with its time.

use std::time::{Duration, Instant};

use super::tls::Protocol;
use super::{Connection, Failure, Target};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    fn new(kind: u8, flags: u8, stream: u32, payload: Vec<u8>) -> Self {
        Self { kind, flags, stream, payload }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], self.kind, self.flags];
        bytes.extend_from_slice(&self.stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// A frame from the start of `buffer`, once all of it has come.
    fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let [high, middle, low, kind, flags, a, b, c, d] = *buffer.first_chunk::<9>()?;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let payload = buffer.get(9..9 + length)?.to_vec();
        buffer.drain(..9 + length);
        Some(Self { kind, flags, stream: u32::from_be_bytes([a & 0x7f, b, c, d]), payload })
    }

    pub(crate) fn is_goaway(&self) -> bool {
        self.kind == GOAWAY
    }

    /// Ends its stream.
    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, HEADERS | DATA) && self.flags & END_STREAM != 0
    }
}

/// A connection, under TLS by ALPN (RFC 9113, 3.2) and in the clear with prior knowledge (3.3).
#[derive(Debug)]
pub(crate) struct Http2 {
    connection: Connection,
    buffer: Vec<u8>,
    next_stream: u32,
}

impl Http2 {
    /// Opens, and waits for the server's SETTINGS: what answers otherwise does not speak it.
    pub(crate) async fn open(target: &Target, limit: Duration) -> Result<Self, Failure> {
        let mut connection = Connection::open_for(target, Protocol::Http2, limit).await?;
        let mut hello = PREFACE.to_vec();
        hello.extend(Frame::new(SETTINGS, 0, 0, Vec::new()).bytes());
        connection.send(&hello, limit).await?;
        let mut http2 = Self { connection, buffer: Vec::new(), next_stream: 1 };
        let first = http2.frame(limit).await?;
        if first.kind == SETTINGS && first.flags & ACK == 0 && first.stream == 0 {
            return Ok(http2);
        }
        Err(Failure::Malformed("no SETTINGS frame at the start".to_owned()))
    }

    /// The next frame; SETTINGS and PING are acknowledged on the way.
    pub(crate) async fn frame(&mut self, limit: Duration) -> Result<Frame, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            if self.buffer.starts_with(b"HTTP/") {
                return Err(Failure::Malformed("an HTTP/1 answer".to_owned()));
            }
            if let Some(frame) = Frame::take(&mut self.buffer) {
                if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
                    let payload = if frame.kind == PING { frame.payload.clone() } else { Vec::new() };
                    let _ = self.connection.send(&Frame::new(frame.kind, ACK, 0, payload).bytes(), limit).await;
                }
                return Ok(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.connection.raw(left).await?;
            if bytes.is_empty() {
                return Err(Failure::Closed { got: self.buffer.len() });
            }
            self.buffer.extend(bytes);
        }
    }

    /// Sends a GET; its answer comes as frames of the returned stream.
    pub(crate) async fn get(&mut self, target: &Target, path: &str, limit: Duration) -> Result<u32, Failure> {
        // `:method GET` is entry 2 of the static table (RFC 7541, appendix A).
        let block = head(0x82, target, path, &[]);
        let stream = self.stream();
        let frame = Frame::new(HEADERS, END_STREAM | END_HEADERS, stream, block);
        self.connection.send(&frame.bytes(), limit).await?;
        Ok(stream)
    }

    /// A unary gRPC call with an empty message; the message of its answer.
    pub(crate) async fn grpc(&mut self, target: &Target, path: &str, limit: Duration) -> Result<Vec<u8>, Failure> {
        // `:method POST` is entry 3.
        let block = head(0x83, target, path, &[("content-type", "application/grpc"), ("te", "trailers")]);
        let stream = self.stream();
        let mut bytes = Frame::new(HEADERS, END_HEADERS, stream, block).bytes();
        // Not compressed, zero bytes long.
        bytes.extend(Frame::new(DATA, END_STREAM, stream, vec![0; 5]).bytes());
        self.connection.send(&bytes, limit).await?;
        let mut data = Vec::new();
        loop {
            let frame = self.frame(limit).await?;
            if frame.stream != stream {
                continue;
            }
            if frame.kind == DATA {
                // Padding is never used by servers for so little; a padded frame would show as another message.
                data.extend_from_slice(&frame.payload);
            }
            if frame.ends_stream() {
                return data.get(5..).map(<[u8]>::to_vec).ok_or(Failure::Closed { got: data.len() });
            }
        }
    }

    fn stream(&mut self) -> u32 {
        self.next_stream += 2;
        self.next_stream - 2
    }
}

/// A header block. `:scheme http` is entry 6 and `https` entry 7; `:authority` (1) and `:path` (4) are literals without indexing and
/// without Huffman coding.
fn head(method: u8, target: &Target, path: &str, own: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![method, if target.tls.is_some() { 0x87 } else { 0x86 }];
    for (index, value) in [(1, target.host.as_str()), (4, path)] {
        block.push(index);
        text(value, &mut block);
    }
    let common = target.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in common.chain(own.iter().copied()) {
        block.push(0);
        text(&name.to_ascii_lowercase(), &mut block);
        text(value, &mut block);
    }
    block
}

fn text(text: &str, out: &mut Vec<u8>) {
    integer(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// An HPACK integer with a prefix of seven bits, the top bit clear.
fn integer(value: usize, out: &mut Vec<u8>) {
    if let Some(small) = u8::try_from(value).ok().filter(|small| *small < 127) {
        out.push(small);
        return;
    }
    out.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap_or_default() | 0x80);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap_or_default());
}

/// Whether the service speaks HTTP/2.
pub(crate) async fn spoken(target: &Target) -> bool {
    Http2::open(target, Duration::from_secs(2)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_its_bytes_and_waits_for_all_of_them() {
        let frame = Frame::new(GOAWAY, 0, 0, vec![0, 0, 0, 1, 0, 0, 0, 0]);
        let bytes = frame.bytes();
        let mut partial = bytes[..bytes.len() - 1].to_vec();
        assert_eq!(Frame::take(&mut partial), None);
        let mut whole = bytes;
        whole.push(9);
        assert_eq!(Frame::take(&mut whole), Some(frame));
        assert_eq!(whole, [9]);
    }

    #[test]
    fn a_long_value_is_written_in_several_bytes() {
        let mut out = Vec::new();
        integer(1337, &mut out);
        // 1337 - 127 = 1210 = 9 * 128 + 58
        assert_eq!(out, [127, 0xba, 9]);
    }

    #[test]
    fn fuzz_frames_are_taken_whole_and_in_order() {
        seaworthy_fuzz::drive("http2-frames", |bytes| {
            let (mut rest, mut again) = (bytes.to_vec(), Vec::new());
            while let Some(frame) = Frame::take(&mut rest) {
                again.extend(frame.bytes());
            }
            assert_eq!(again.len() + rest.len(), bytes.len());
            assert!(bytes.ends_with(&rest));
        });
    }
}
