//! Streams of HTTP/2 that share a connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::bed::{Seaworthy, program};

/// A body that is sent bit by bit.
struct Fed(mpsc::Receiver<&'static [u8]>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(Bytes::from_static(data)))))
    }
}

/// A stream that sends a body.
struct Upload {
    feed: mpsc::Sender<&'static [u8]>,
    /// Status, head and body.
    answer: JoinHandle<(u16, HeaderMap, String)>,
}

impl Upload {
    fn begin(send: &SendRequest<Fed>, path: &str, kind: &str) -> Self {
        let (feed, body) = mpsc::channel(1);
        let request = Request::post(format!("http://service.example{path}"))
            .header("content-type", kind)
            .header("te", "trailers");
        let request = request.body(Fed(body)).expect("it is whole");
        let mut send = send.clone();
        let answer = tokio::spawn(async move {
            let (head, body) = send.send_request(request).await.expect("an answer, no reset").into_parts();
            let body = body.collect().await.expect("it comes to its end").to_bytes();
            (head.status.as_u16(), head.headers, String::from_utf8_lossy(&body).into_owned())
        });
        Self { feed, answer }
    }

    async fn end(self) -> (u16, HeaderMap, String) {
        drop(self.feed);
        self.answer.await.expect("it is answered")
    }
}

async fn connect(to: SocketAddr) -> SendRequest<Fed> {
    let stream = TcpStream::connect(to).await.expect("somebody listens");
    let (send, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    send
}

/// Sends much on one and a byte at a time on the other, until the other is answered and for a while longer.
async fn feed(fast: &Upload, slow: &Upload) {
    let mut last = Instant::now() + Duration::from_secs(30);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while Instant::now() < last {
        tick.tick().await;
        fast.feed.send(&[b'x'; 2000]).await.expect("it is not refused");
        // Full where the last one is still on its way, closed once it was refused.
        let _ = slow.feed.try_send(b"x");
        if slow.answer.is_finished() {
            last = last.min(Instant::now() + Duration::from_millis(2500));
        }
    }
    assert!(slow.answer.is_finished(), "it hides behind the fast one");
}

const IMPATIENT: &str = "[limits]\nbody-grace = \"1s\"";

#[tokio::test]
async fn a_stream_that_drips_is_answered_408_and_its_fast_neighbour_goes_on() {
    let service = Seaworthy::app().config(IMPATIENT).ready();
    let send = connect(service.public).await;
    let (fast, slow) = (Upload::begin(&send, "/upload", "a/b"), Upload::begin(&send, "/upload?slow", "a/b"));
    feed(&fast, &slow).await;
    let (status, _, body) = slow.end().await;
    assert!(status == 408 && body.contains("urn:seaworthy:problem:request_too_slow"), "{status} {body}");
    let (status, _, body) = fast.end().await;
    assert!(status == 200 && body.starts_with("{\"bytes\":"), "{status} {body}");
    // And the connection serves on.
    assert_eq!(Upload::begin(&send, "/upload", "a/b").end().await.0, 200);
}

#[tokio::test]
async fn a_slow_stream_to_a_program_that_speaks_http2_is_the_clients_doing() {
    let service = Seaworthy::run(["/usr/bin/python3".to_owned(), program("grpc_server.py")]).config(IMPATIENT).ready();
    let send = connect(service.public).await;
    let begin = || Upload::begin(&send, "/test.Echo/Stream", "application/grpc");
    let (fast, slow) = (begin(), begin());
    // Both announce a message, of 3 MB and of 64 kB: the program answers once it is whole.
    fast.feed.send(&[0, 0, 0x2d, 0xc6, 0xc0]).await.expect("it is not refused");
    slow.feed.send(&[0, 0, 0, 0xfa, 0]).await.expect("it is not refused");
    feed(&fast, &slow).await;
    let (_, head, _) = slow.end().await;
    assert_eq!(head["grpc-status"], "4", "{head:?}");
    let line = service.log.line("its access line", |line| line["refusal"] == "request_too_slow");
    assert_eq!(line["path"], "/test.Echo/Stream", "{line}");
    let upstream = service.app_address();
    let outcome = format!("upstream_requests_total{{upstream=\"{upstream}\",outcome=\"client_body\"}}");
    assert!(service.metric(&outcome) >= 1.0, "it is counted as {outcome}");
    drop(fast);
}
