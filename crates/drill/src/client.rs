//! An HTTP client that hides nothing: refusals, resets, half-closes, bytes and the times of each.
//!
//! Libraries retry, pool and translate errors; a rehearsal needs to see what a strict client would see.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) mod connection;
pub(crate) mod exchange;
pub(crate) mod http2;
mod stream;
pub(crate) mod tls;
pub(crate) mod websocket;

pub(crate) use connection::{Answer, Connection, Ending};
pub(crate) use exchange::{Exchange, Outcome, exchange};
pub use tls::Tls;

/// A service at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub address: SocketAddr,
    /// The `Host` header.
    pub host: String,
    /// Sent with every request: `--header`.
    pub headers: Vec<(String, String)>,
    /// Where it speaks TLS.
    pub tls: Option<Tls>,
}

impl Target {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// A target in the clear whose `Host` is its address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, host: address.to_string(), headers: Vec::new(), tls: None }
    }
}

/// A request, before it is bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// `GET path`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST", path).header("content-type", content_type);
        request.body = body.into();
        request
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The head alone, with `Content-Length` where there is a body of `length` bytes.
    pub(crate) fn head(&self, target: &Target, length: Option<usize>) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, target.host);
        let named = |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        if !named("user-agent") {
            head.push_str("User-Agent: seaworthy-drill\r\n");
        }
        let common = target.headers.iter().filter(|(name, _)| !named(name));
        for (name, value) in common.chain(&self.headers) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(length) = length {
            let _ = write!(head, "Content-Length: {length}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Head and body.
    pub(crate) fn bytes(&self, target: &Target) -> Vec<u8> {
        let mut bytes = self.head(target, (!self.body.is_empty()).then_some(self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Why there is no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("connection refused")]
    Refused,
    #[error("no connection: {0}")]
    Unreachable(String),
    /// RST; `got` bytes of this answer had come.
    #[error("connection reset after {got} bytes of the answer")]
    Reset { got: usize },
    /// FIN before the answer was complete.
    #[error("connection closed after {got} bytes of the answer")]
    Closed { got: usize },
    #[error("no complete answer within {limit:.1?} ({got} bytes came)")]
    Timeout { limit: Duration, got: usize },
    /// The handshake of TLS ended without a connection.
    #[error("no TLS: {0}")]
    Handshake(String),
    /// The certificate is not to be believed.
    #[error("its certificate is not believed: {0}")]
    Untrusted(String),
    #[error("not HTTP: {0}")]
    Malformed(String),
}

/// Connects, sends, reads; all of it within `limit`. The connection is closed afterwards.
pub(crate) async fn fetch(target: &Target, request: &Request, limit: Duration) -> Result<Answer, Failure> {
    let deadline = Instant::now() + limit;
    let mut connection = Connection::open(target, limit).await?;
    // An early answer may be there although the rest could not be sent.
    let sent = connection.send(&request.bytes(target), limit).await;
    let answer = connection.answer(request, deadline).await;
    match (sent, answer) {
        (Err(failure), Err(_)) => Err(failure),
        (_, answer) => answer,
    }
}

#[cfg(test)]
mod tests;
