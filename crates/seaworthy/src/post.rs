//! One request to a collector, and its whole answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};

use crate::client::{Transport, TransportError};

/// More of an answer is not read: it is a word or two, and a page of HTML where something else answers.
const LONGEST_ANSWER: usize = 64 * 1024;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "only gRPC says anything there"))]
    pub(crate) trailers: HeaderMap,
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "Sentry's says nothing that its status does not"))]
    pub(crate) body: Bytes,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the answer broke off: {0}")]
    Answer(String),
}

/// Sends a request and reads its answer, all within `timeout`.
pub(crate) async fn post(
    transport: &Transport<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    timeout: Duration,
) -> Result<Reply, PostError> {
    let exchange = async {
        let (parts, body) = transport.send(request).await?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = body.map_err(|error| PostError::Answer(error.to_string()))?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Reply { status: parts.status, headers: parts.headers, trailers, body: body.to_bytes() })
    };
    tokio::time::timeout(timeout, exchange).await.map_err(|_| PostError::Timeout(timeout))?
}

impl Reply {
    /// How long the other side wants to be left alone, if it says so in seconds.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// The name that we go by (RFC 9110, 10.1.5).
pub(crate) const USER_AGENT: &str = concat!("seaworthy/", env!("CARGO_PKG_VERSION"));
