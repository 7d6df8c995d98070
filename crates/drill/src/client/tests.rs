//! The client against servers that misbehave in one exact way.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::exchange::drip;
use super::*;

const LIMIT: Duration = Duration::from_secs(5);

/// Serves one connection by `serve` once a head has come.
async fn server<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> Target
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        serve(stream).await;
    });
    Target::new(address)
}

async fn says(bytes: &'static [u8]) -> Target {
    server(move |mut stream| async move { stream.write_all(bytes).await.unwrap() }).await
}

async fn get(target: &Target) -> Result<Answer, Failure> {
    fetch(target, &Request::get("/"), LIMIT).await
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(get(&target).await.unwrap_err(), Failure::Refused);
}

#[tokio::test]
async fn a_body_is_read_by_length_by_chunks_and_to_the_end() {
    for (bytes, close) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], false),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n",
            false,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", true),
    ] {
        let answer = get(&says(bytes).await).await.unwrap();
        assert_eq!((answer.text().as_str(), answer.length, answer.close), ("hello", 5, close));
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_truncated_and_an_end_before_it_is_a_cut() {
    let short = get(&says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello").await).await;
    assert_eq!(Outcome::of(&short, false), Outcome::Truncated);
    let nothing = get(&says(b"").await).await;
    assert_eq!(Outcome::of(&nothing, false), Outcome::CutBeforeBytes);
    assert_eq!(Outcome::of(&nothing, true), Outcome::IdleRace, "on a kept connection a client may repeat it");
}

#[tokio::test]
async fn a_reset_within_the_answer_is_told_from_an_end() {
    let (read, was_read) = tokio::sync::oneshot::channel();
    let target = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello").await.unwrap();
        was_read.await.unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    })
    .await;
    let request = Request::get("/");
    let mut connection = Connection::open(&target, LIMIT).await.unwrap();
    connection.send(&request.bytes(&target), LIMIT).await.unwrap();
    assert_eq!(connection.ending(LIMIT).await, Ending::Data);
    read.send(()).unwrap();
    let answer = connection.answer(&request, Instant::now() + LIMIT).await;
    assert_eq!(Outcome::of(&answer, false), Outcome::CutAfterBytes);
}

#[tokio::test]
async fn what_is_no_http_is_malformed_and_what_does_not_come_is_late() {
    assert!(matches!(get(&says(b"\x15\x03\x01\x00\x02\x02\x46").await).await, Err(Failure::Malformed(_))));
    let silent = server(|stream| async move {
        tokio::time::sleep(LIMIT).await;
        drop(stream);
    })
    .await;
    let begun = Instant::now();
    let late = fetch(&silent, &Request::get("/"), Duration::from_millis(50)).await;
    assert!(matches!(late, Err(Failure::Timeout { got: 0, .. })), "{late:?}");
    assert!(begun.elapsed() < LIMIT);
}

#[tokio::test]
async fn an_early_answer_to_an_upload_is_read_and_said_to_be_early() {
    let target = says(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").await;
    let (exchange, early) = drip(&target, "/upload", 50, Duration::from_millis(20), LIMIT).await;
    assert_eq!((exchange.status, early), (Some(413), true));
}

#[test]
fn fuzz_any_server_gives_an_answer_or_a_failure() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let target = Target::new(listener.local_addr().unwrap());
    let request = Request::get("/");
    seaworthy_fuzz::drive("http-answer", |bytes| {
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Whoever has seen enough may leave.
            let _ = stream.write_all(bytes).await;
        };
        let asking = async {
            let mut connection = Connection::open(&target, LIMIT).await.unwrap();
            let answer = connection.answer(&request, Instant::now() + LIMIT).await;
            if let Ok(answer) = answer {
                assert!(answer.body.len() <= answer.length && answer.length <= bytes.len());
            }
        };
        runtime.block_on(async { tokio::join!(serving, asking) });
    });
}
