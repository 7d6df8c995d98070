//! One HTTP/1.1 connection.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::stream::Stream;
use super::tls::Protocol;
use super::{Failure, Request, Target};

/// A head may not be longer.
const HEAD: usize = 256 * 1024;

/// Of a body, so much is kept to be looked at; the rest is counted.
const KEPT: usize = 1024 * 1024;

/// A complete answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The first MiB of it.
    pub(crate) body: Vec<u8>,
    pub(crate) length: usize,
    pub(crate) ended: Instant,
    /// The server will close after it: by header, by version, or because the body ended by closing.
    pub(crate) close: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a connection on which nothing was asked came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Open,
    /// FIN.
    Closed,
    Reset,
    /// Bytes that nobody asked for.
    Data,
}

/// A connection, and what was read ahead of it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    /// Answers that it has carried.
    pub(crate) answers: usize,
}

impl Connection {
    pub(crate) async fn open(target: &Target, limit: Duration) -> Result<Self, Failure> {
        Self::open_for(target, Protocol::Http1, limit).await
    }

    /// Connects, under TLS where the target speaks it, with this protocol offered there.
    pub(crate) async fn open_for(target: &Target, protocol: Protocol, limit: Duration) -> Result<Self, Failure> {
        match timeout(limit, Self::connect(target, protocol)).await {
            Err(_) => Err(Failure::Timeout { limit, got: 0 }),
            Ok(opened) => opened,
        }
    }

    async fn connect(target: &Target, protocol: Protocol) -> Result<Self, Failure> {
        let stream = match TcpStream::connect(target.address).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(Failure::Refused),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(Failure::Reset { got: 0 }),
            Err(error) => return Err(Failure::Unreachable(error.to_string())),
            Ok(stream) => stream,
        };
        // A port in the ephemeral range can connect to itself when nobody listens (RFC 9293, simultaneous open).
        if stream.local_addr().ok() == Some(target.address) {
            return Err(Failure::Refused);
        }
        let _ = stream.set_nodelay(true);
        let stream = match &target.tls {
            None => Stream::Plain(stream),
            Some(tls) => Stream::Tls(Box::new(tls.connect(stream, protocol).await?)),
        };
        Ok(Self { stream, buffer: Vec::new(), answers: 0 })
    }

    /// Writes all of it.
    pub(crate) async fn send(&mut self, bytes: &[u8], limit: Duration) -> Result<(), Failure> {
        let written = async {
            self.stream.write_all(bytes).await?;
            // Under TLS what was written may still be waiting for room in the socket.
            self.stream.flush().await
        };
        match timeout(limit, written).await {
            Err(_) => Err(Failure::Timeout { limit, got: 0 }),
            Ok(written) => written.map_err(|error| failure(&error, 0)),
        }
    }

    /// The next answer, to its last byte. Interim answers (1xx, but 101) are passed over.
    pub(crate) async fn answer(&mut self, request: &Request, deadline: Instant) -> Result<Answer, Failure> {
        let limit = deadline.saturating_duration_since(Instant::now());
        // What was read ahead is of this answer too.
        let mut got = self.buffer.len();
        let answer = match timeout(limit, self.read(request, &mut got)).await {
            Err(_) => Err(Failure::Timeout { limit, got }),
            Ok(answer) => answer,
        };
        self.answers += usize::from(answer.is_ok());
        answer
    }

    async fn read(&mut self, request: &Request, got: &mut usize) -> Result<Answer, Failure> {
        loop {
            let (status, version, headers) = self.head(got).await?;
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let named = |name: &str| {
                let own = headers.iter().find(|(own, _): &&(String, String)| own.eq_ignore_ascii_case(name));
                own.map(|(_, value)| value.trim())
            };
            let connection = named("connection").unwrap_or_default().to_ascii_lowercase();
            let token = |word: &str| connection.split(',').any(|token| token.trim() == word);
            let mut close = token("close") || (version == 0 && !token("keep-alive"));
            let mut body = Body { kept: Vec::new(), length: 0 };
            if request.method == "HEAD" || matches!(status, 101 | 204 | 304) {
                // No body, whatever the headers say (RFC 9112, 6.3).
            } else if named("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
                self.chunks(&mut body, got).await?;
            } else if let Some(length) = named("content-length") {
                let length = length.parse().map_err(|_| malformed(&format!("Content-Length: {length}")))?;
                self.exactly(length, &mut body, got).await?;
            } else {
                close = true;
                self.until_end(&mut body, got).await?;
            }
            let ended = Instant::now();
            return Ok(Answer { status, headers, body: body.kept, length: body.length, ended, close });
        }
    }

    async fn head(&mut self, got: &mut usize) -> Result<(u16, u8, Vec<(String, String)>), Failure> {
        loop {
            if !self.buffer.is_empty() {
                let mut headers = [httparse::EMPTY_HEADER; 128];
                let mut head = httparse::Response::new(&mut headers);
                match head.parse(&self.buffer) {
                    Ok(httparse::Status::Complete(length)) => {
                        let pairs = head.headers.iter();
                        let pairs = pairs
                            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
                            .collect();
                        let found = (head.code.unwrap_or_default(), head.version.unwrap_or(1), pairs);
                        self.buffer.drain(..length);
                        return Ok(found);
                    }
                    Ok(httparse::Status::Partial) if self.buffer.len() < HEAD => {}
                    Ok(httparse::Status::Partial) => return Err(malformed("a head of more than 256 KiB")),
                    Err(error) => {
                        let start = String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(40)]).into_owned();
                        return Err(malformed(&format!("{error} in {start:?}")));
                    }
                }
            }
            self.more(got).await?;
        }
    }

    /// Reads what has come into the buffer. The end of the stream is an error here.
    async fn more(&mut self, got: &mut usize) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Failure::Closed { got: *got }),
            Ok(read) => {
                *got += read;
                Ok(())
            }
            Err(error) => Err(failure(&error, *got)),
        }
    }

    async fn exactly(&mut self, length: usize, body: &mut Body, got: &mut usize) -> Result<(), Failure> {
        let mut left = length;
        while left > 0 {
            if self.buffer.is_empty() {
                self.more(got).await?;
            }
            let part = left.min(self.buffer.len());
            body.add(&self.buffer[..part]);
            self.buffer.drain(..part);
            left -= part;
        }
        Ok(())
    }

    async fn until_end(&mut self, body: &mut Body, got: &mut usize) -> Result<(), Failure> {
        loop {
            body.add(&self.buffer);
            self.buffer.clear();
            match self.more(got).await {
                Ok(()) => {}
                Err(Failure::Closed { .. }) => return Ok(()),
                Err(other) => return Err(other),
            }
        }
    }

    async fn chunks(&mut self, body: &mut Body, got: &mut usize) -> Result<(), Failure> {
        loop {
            let line = self.line(got).await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed(&format!("chunk size {size:?}")))?;
            if size == 0 {
                // Trailers end with an empty line.
                while !self.line(got).await?.is_empty() {}
                return Ok(());
            }
            self.exactly(size, body, got).await?;
            if !self.line(got).await?.is_empty() {
                return Err(malformed("a chunk is longer than its size"));
            }
        }
    }

    async fn line(&mut self, got: &mut usize) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return Ok(line);
            }
            if self.buffer.len() > HEAD {
                return Err(malformed("a chunk line of more than 256 KiB"));
            }
            self.more(got).await?;
        }
    }

    /// Waits up to `limit` for the server to end a connection on which nothing is asked.
    pub(crate) async fn ending(&mut self, limit: Duration) -> Ending {
        if !self.buffer.is_empty() {
            return Ending::Data;
        }
        match timeout(limit, self.stream.read_buf(&mut self.buffer)).await {
            Err(_) => Ending::Open,
            Ok(Ok(0)) => Ending::Closed,
            Ok(Ok(_)) => Ending::Data,
            // The end of TCP without the end of TLS.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ending::Closed,
            Ok(Err(_)) => Ending::Reset,
        }
    }

    /// The next bytes, whatever they are; empty at the end of the stream.
    pub(crate) async fn raw(&mut self, limit: Duration) -> Result<Vec<u8>, Failure> {
        if self.buffer.is_empty() {
            match timeout(limit, self.stream.read_buf(&mut self.buffer)).await {
                Err(_) => return Err(Failure::Timeout { limit, got: 0 }),
                Ok(Err(error)) => return Err(failure(&error, 0)),
                Ok(Ok(_)) => {}
            }
        }
        Ok(std::mem::take(&mut self.buffer))
    }
}

#[derive(Debug)]
struct Body {
    kept: Vec<u8>,
    length: usize,
}

impl Body {
    fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        let room = KEPT.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
    }
}

fn malformed(why: &str) -> Failure {
    Failure::Malformed(why.to_owned())
}

pub(super) fn failure(error: &io::Error, got: usize) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            Failure::Reset { got }
        }
        io::ErrorKind::UnexpectedEof => Failure::Closed { got },
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        _ => Failure::Unreachable(error.to_string()),
    }
}
