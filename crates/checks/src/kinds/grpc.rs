//! `grpc`: a server says by the standard health protocol that it serves
//! (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).
//!
//! One message with one field in each direction needs neither a generated client nor its build tools.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seaworthy_core::health::Class;

use crate::endpoint::{Endpoint, EndpointError, Expected};
use crate::net::Stream;
use crate::probe::{Failure, Probe, Report, Running, chain, driven, io_kind};
use crate::surroundings::Surroundings;
use crate::tls::{self, Tls};

const EXPECTED: Expected = Expected {
    schemes: &[("grpc", 50051), ("grpcs", 443), ("http", 80), ("https", 443), ("grpc+unix", 0)],
    example: "grpc://localhost:50051",
};

const PATH: &str = "/grpc.health.v1.Health/Check";

const LARGEST: usize = 64 * 1024;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server(Endpoint);

impl Server {
    /// Reads `grpc://`, which is HTTP/2 without TLS, or `grpcs://`.
    pub fn new(url: &str) -> Result<Self, EndpointError> {
        EXPECTED.parse(url).map(Self)
    }

    fn is_tls(&self) -> bool {
        matches!(self.0.scheme.as_str(), "grpcs" | "https")
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    /// Which of its services; empty is the server as a whole.
    pub service: String,
    pub tls: Tls,
}

/// Connects each time, as `http` does, and for the same reason.
#[derive(Debug)]
pub(super) struct Grpc {
    settings: Settings,
    surroundings: Surroundings,
}

impl Grpc {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings }
    }

    async fn ask(&self) -> Result<Report, Failure> {
        let Settings { server, service, tls } = &self.settings;
        let stream = server.0.place.dial(&self.surroundings).await?;
        let stream: Stream =
            if server.is_tls() { Box::new(tls::connect(stream, tls, server.0.host(), &["h2"]).await?) } else { stream };
        let scheme = if server.is_tls() { "https" } else { "http" };
        let request = Request::post(format!("{scheme}://{}{PATH}", authority(&server.0)))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .header(header::USER_AGENT, concat!("seaworthy/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(question(service)))
            .map_err(|_| Failure::protocol("the request cannot be written"))?;
        let (mut sender, connection) = shake_hands(stream).await.map_err(|error| failed(&error))?;
        let connection = boxed(connection);
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
            let (head, body) = answer.into_parts();
            if !head.status.is_success() {
                return Err(Failure::protocol(format!("answers {} to gRPC", head.status)));
            }
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|error| Failure::protocol(format!("its answer cannot be read: {error}")))?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            // An answer without a message carries its status in the head.
            status(&trailers)
                .or_else(|| status(&head.headers))
                .unwrap_or_else(|| Err(Failure::protocol("its answer has no grpc-status")))?;
            serving(&body.to_bytes())
        };
        driven(exchange, connection).await?;
        Ok(Report::default())
    }
}

type Connection = http2::Connection<TokioIo<Stream>, Full<Bytes>, TokioExecutor>;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Boxed outside of any `async`, where the compiler can see that it may move between threads.
fn shake_hands(stream: Stream) -> Boxed<hyper::Result<(http2::SendRequest<Full<Bytes>>, Connection)>> {
    Box::pin(http2::handshake(TokioExecutor::new(), TokioIo::new(stream)))
}

fn boxed(connection: Connection) -> Boxed<hyper::Result<()>> {
    Box::pin(connection)
}

/// As a URL has it, brackets included.
fn authority(endpoint: &Endpoint) -> String {
    match &endpoint.place {
        crate::net::Place::Unix(_) => "localhost".to_owned(),
        place @ crate::net::Place::Tcp { .. } => place.to_string(),
    }
}

/// `HealthCheckRequest { string service = 1; }`, framed.
fn question(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or_default());
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(message);
    frame.into()
}

/// The status of a call; `None` where there is none.
fn status(headers: &HeaderMap) -> Option<Result<(), Failure>> {
    let code = headers.get("grpc-status")?.to_str().ok()?.to_owned();
    let said = headers.get("grpc-message").and_then(|message| message.to_str().ok());
    let said = said.map(|said| format!(": {}", percent_encoding::percent_decode_str(said).decode_utf8_lossy()));
    let failure = |class, what: &str| Err(Failure::new(class, format!("{what}{}", said.clone().unwrap_or_default())));
    Some(match code.as_str() {
        "0" => Ok(()),
        "4" => failure(Class::Timeout, "DEADLINE_EXCEEDED"),
        "5" => failure(Class::Condition, "the service is not known there (NOT_FOUND)"),
        "7" => failure(Class::Auth, "PERMISSION_DENIED"),
        "12" => failure(Class::Protocol, "the server has no health service (UNIMPLEMENTED)"),
        "14" => failure(Class::Refused, "UNAVAILABLE"),
        "16" => failure(Class::Auth, "UNAUTHENTICATED"),
        other => failure(Class::Condition, &format!("grpc-status {other}")),
    })
}

/// Judges `HealthCheckResponse { ServingStatus status = 1; }`, framed.
fn serving(frame: &[u8]) -> Result<(), Failure> {
    let message = match frame {
        [0, a, b, c, d, message @ ..] if message.len() == u32::from_be_bytes([*a, *b, *c, *d]) as usize => message,
        _ => return Err(Failure::protocol("its answer is no gRPC message")),
    };
    match message {
        [0x08, 1, ..] => Ok(()),
        // A field with the value 0 is left out.
        [] | [0x08, 0, ..] => Err(Failure::condition("the status is UNKNOWN")),
        [0x08, 2, ..] => Err(Failure::condition("the status is NOT_SERVING")),
        [0x08, 3, ..] => Err(Failure::condition("the status is SERVICE_UNKNOWN")),
        _ => Err(Failure::protocol("its answer is not that of the health protocol")),
    }
}

fn failed(error: &hyper::Error) -> Failure {
    let message = chain(error);
    match io_kind(error) {
        Some(kind) => Failure { message, ..Failure::from(std::io::Error::from(kind)) },
        None if error.is_closed() || error.is_canceled() => Failure::refused(message),
        None => Failure::protocol(format!("what answers does not speak HTTP/2: {message}")),
    }
}

impl Probe for Grpc {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_question_is_framed_as_protobuf_in_grpc() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("a.B")[..], [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        assert_eq!(question(&"x".repeat(200))[5..8], [0x0a, 0xc8, 1]);
    }

    #[test]
    fn only_serving_passes() {
        assert_eq!(serving(&[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        let said = |frame: &[u8]| serving(frame).unwrap_err().message;
        assert_eq!(said(&[0, 0, 0, 0, 2, 8, 2]), "the status is NOT_SERVING");
        assert_eq!(said(&[0, 0, 0, 0, 0]), "the status is UNKNOWN");
        assert_eq!(said(&[0, 0, 0, 0, 9, 8, 1]), "its answer is no gRPC message");
    }

    proptest! {
        #[test]
        fn any_answer_is_judged(frame in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = serving(&frame);
        }
    }

    #[test]
    fn fuzz_any_frame_and_any_status_is_judged() {
        seaworthy_fuzz::drive("grpc", |frame| {
            let _ = serving(frame);
            let mut headers = HeaderMap::new();
            let mut parts = frame.splitn(2, |byte| *byte == b'\n');
            for name in ["grpc-status", "grpc-message"] {
                if let Some(Ok(value)) = parts.next().map(http::HeaderValue::from_bytes) {
                    headers.insert(name, value);
                }
            }
            let _ = status(&headers);
        });
    }
}
