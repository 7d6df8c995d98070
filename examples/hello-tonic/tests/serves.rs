//! The example as a process: it answers gRPC, says that it is leaving, and ends with 0.
#![allow(clippy::unwrap_used, reason = "a helper of tests, outside of them")]

#[path = "../../hello.rs"]
mod hello;

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use hello::{Hello, get};

/// An empty message: how is the whole server?
const QUESTION: &[u8] = &[0, 0, 0, 0, 0];
/// One message with the field 1 set to `SERVING`.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];

/// Calls the health check of gRPC, on a connection of its own.
async fn call(address: SocketAddr, method: &str) -> Incoming {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut send, connection) = http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://{address}/grpc.health.v1.Health/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::<Bytes>::from(QUESTION));
    send.send_request(request.unwrap()).await.unwrap().into_body()
}

async fn check(address: SocketAddr) -> Bytes {
    let body = call(address, "Check").await.collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    body.to_bytes()
}

#[tokio::test]
async fn it_answers_and_says_that_it_is_leaving() {
    let mut hello = Hello::start(env!("CARGO_BIN_EXE_hello-tonic"));
    assert_eq!(check(hello.public).await, SERVING);
    let mut watched = call(hello.public, "Watch").await;
    assert_eq!(watched.frame().await.unwrap().unwrap().into_data().unwrap(), SERVING);
    assert!(get(hello.admin, "/readyz").starts_with("HTTP/1.1 200"));
    hello.terminate();
    hello.line("readiness withdrawn");
    assert!(get(hello.admin, "/readyz").starts_with("HTTP/1.1 503"));
    // The listener is open for a while yet.
    while check(hello.public).await != NOT_SERVING {}
    let rest = watched.collect().await.unwrap();
    assert_eq!(rest.trailers().unwrap()["grpc-status"], "0", "whoever watches has been told, and cut off by nobody");
    assert_eq!(rest.to_bytes(), NOT_SERVING);
    hello.line("Graceful shutdown complete");
    assert!(hello.ended().success());
}
