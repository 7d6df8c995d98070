//! A service with axum that knows nothing of Seaworthy: `seaworthy run -- target/…/examples/behind_axum`.
//!
//! It serves `/json`, the files of its directory with ranges, `/upload`, and echoes WebSockets at `/ws`.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use ring::digest::{Context, SHA256};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("PORT")?.parse()?;
    let router = Router::new()
        .route("/json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], r#"{"id":7}"#) }))
        .route("/upload", post(upload).put(upload))
        .route("/ws", get(echo))
        .route("/{file}", get(file));
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let mut terminated = signal(SignalKind::terminate())?;
    let stopped = async move {
        terminated.recv().await;
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(stopped).await?)
}

/// Says how much it was, and its sum.
async fn upload(request: Request) -> Result<String, StatusCode> {
    let mut body = request.into_body();
    let (mut bytes, mut sum) = (0, Context::new(&SHA256));
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() {
            bytes += data.len();
            sum.update(&data);
        }
    }
    let mut answer = format!(r#"{{"bytes":{bytes},"sha256":""#);
    for byte in sum.finish().as_ref() {
        // Nothing can go wrong in memory.
        let _ = write!(answer, "{byte:02x}");
    }
    Ok(answer + "\"}")
}

/// A file of this directory, or one range of it.
async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, StatusCode> {
    // A name is one segment, but the segment may hold an escaped slash.
    let name = PathBuf::from(name).file_name().map(PathBuf::from).ok_or(StatusCode::NOT_FOUND)?;
    let content = tokio::fs::read(name).await.map_err(|_| StatusCode::NOT_FOUND)?;
    let Some(range) = headers.get(header::RANGE) else { return Ok(Body::from(content).into_response()) };
    let bounds = range.to_str().ok().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let (first, last) = bounds.ok_or(StatusCode::RANGE_NOT_SATISFIABLE)?;
    let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
        return Err(StatusCode::RANGE_NOT_SATISFIABLE);
    };
    let part = content.get(first..=last).ok_or(StatusCode::RANGE_NOT_SATISFIABLE)?.to_vec();
    let of = format!("bytes {first}-{last}/{}", content.len());
    Ok((StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, of)], part).into_response())
}

/// Sends back each message.
async fn echo(mut request: Request) -> Result<Response, StatusCode> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).ok_or(StatusCode::UPGRADE_REQUIRED)?;
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    let (upgrade, websocket) = (HeaderValue::from_static("Upgrade"), HeaderValue::from_static("websocket"));
    let accept = HeaderValue::try_from(accept).map_err(|_| StatusCode::BAD_REQUEST)?;
    let headers = [(header::CONNECTION, upgrade), (header::UPGRADE, websocket), (header::SEC_WEBSOCKET_ACCEPT, accept)];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}
