//! Asks the program for JSON, over a connection of its own.

use std::io;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::gateway::{Address, Protocol, Upstream};

/// Of an answer; more is not for the body of a probe.
const MOST: usize = 64 * 1024;

/// Why there is no JSON.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] http::Error),
    #[error("it answers {0}, whose body says nothing of it")]
    Status(StatusCode),
    #[error("the answer breaks off, or is longer than 64 KiB: {0}")]
    Body(String),
    #[error("it answers no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What a GET of `path` is answered.
pub(super) async fn json(target: &Upstream, path: &str) -> Result<serde_json::Value, AskError> {
    // The name that frameworks which check it have on their list.
    let authority = match &target.address {
        Address::Tcp(address) => format!("localhost:{}", address.port()),
        Address::Unix(_) => "localhost".to_owned(),
    };
    let request = Request::get(path)
        .header(header::USER_AGENT, concat!("seaworthy/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "application/json");
    let io = TokioIo::new(target.connect().await?);
    let answer = if target.protocol == Protocol::H2c {
        let request = request.uri(format!("http://{authority}{path}")).body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        alongside(connection, read(sender.send_request(request))).await
    } else {
        let request = request.header(header::HOST, authority).header(header::CONNECTION, "close");
        let request = request.body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        alongside(connection, read(sender.send_request(request))).await
    };
    Ok(serde_json::from_slice(&answer?)?)
}

async fn read(answer: impl Future<Output = Result<http::Response<Incoming>, hyper::Error>>) -> Result<Bytes, AskError> {
    let answer = answer.await?;
    // A service that is not well says so by a 503, with the same body.
    let status = answer.status();
    if !status.is_success() && status != StatusCode::SERVICE_UNAVAILABLE {
        return Err(AskError::Status(status));
    }
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    Ok(body.map_err(|error| AskError::Body(error.to_string()))?.to_bytes())
}

/// Drives a connection for as long as the answer to a request takes, and drops it then.
async fn alongside<T>(
    connection: impl Future<Output = Result<(), hyper::Error>>,
    answer: impl Future<Output = T>,
) -> T {
    let (mut connection, mut answer) = (std::pin::pin!(connection), std::pin::pin!(answer));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may end with the answer already handed over; and if not, the answer knows why.
        _ = &mut connection => answer.await,
    }
}
