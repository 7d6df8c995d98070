//! A server with real sockets: what it promises to connections, without a stack around it.

mod pace;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use seaworthy_core::event::Memory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::service_fn;

use super::*;
use crate::metrics::Connections;

/// A body that says one word and goes on for ever.
struct Endless(Option<Bytes>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |word| Poll::Ready(Some(Ok(Frame::data(word)))))
    }
}

async fn handle(mut request: Request<ReceivedBody>) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let mut response = Response::new(Full::from("hello").boxed());
    match request.uri().path() {
        "/events" => {
            *response.body_mut() = Endless(Some(Bytes::from_static(b"data: hello\n\n"))).boxed();
            response.headers_mut().insert(header::CONTENT_TYPE, "text/event-stream".parse().unwrap());
        }
        "/upload" => {
            if let Err(error) = request.body_mut().collect().await {
                *response.body_mut() = Full::from(error.to_string()).boxed();
            }
        }
        "/refuse" => *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE,
        "/websocket" => {
            // Sends the first half of a frame, and the rest when the client has sent something.
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut stream = TokioIo::new(upgrade.await.unwrap());
                stream.write_all(&[0x82, 4, b'a', b'b']).await.unwrap();
                stream.flush().await.unwrap();
                let mut read = [0; 64];
                assert!(stream.read(&mut read).await.unwrap() > 0);
                stream.write_all(b"cd").await.unwrap();
                // Goes on talking, as services do that do not know of the goodbye.
                let _ = stream.write_all(&[0x81, 1, b'!']).await;
                while !matches!(stream.read(&mut read).await, Ok(0) | Err(_)) {}
            });
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert(header::UPGRADE, "websocket".parse().unwrap());
            response.headers_mut().insert(header::CONNECTION, "upgrade".parse().unwrap());
        }
        _ => {}
    }
    Ok(response)
}

async fn start(limits: ConnectionLimits) -> (Server, SocketAddr, Arc<Memory>) {
    start_with(limits, false).await
}

async fn start_with(limits: ConnectionLimits, evict: bool) -> (Server, SocketAddr, Arc<Memory>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let memory = Arc::new(Memory::default());
    let service = service_fn(handle);
    let server = Server::start(Setup {
        listener: listener.into(),
        limits,
        service,
        sink: memory.clone(),
        counts: Counts::default(),
        evict,
    });
    (server, address, memory)
}

async fn connect(address: SocketAddr, sends: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(sends.as_bytes()).await.unwrap();
    client
}

/// Reads until what was read ends so.
async fn read_until(client: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let count = client.read_buf(&mut read).await.unwrap();
        assert!(count > 0, "{:?} came before {:?}", String::from_utf8_lossy(&read), String::from_utf8_lossy(end));
    }
    read
}

async fn read_to_end(client: &mut TcpStream) -> String {
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    String::from_utf8_lossy(&read).into_owned()
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn half_a_head_is_answered_408_in_time_however_it_drips() {
    let limits = ConnectionLimits { head_timeout: Duration::from_millis(300), ..ConnectionLimits::default() };
    let (_server, address, memory) = start(limits).await;
    for first in ["", GET] {
        let mut client = connect(address, first).await;
        if !first.is_empty() {
            read_until(&mut client, b"hello").await;
        }
        client.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
        let (mut reader, mut writer) = client.split();
        let mut read = String::new();
        let mut drip = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                ended = reader.read_to_string(&mut read) => break assert!(ended.unwrap() > 0),
                _ = drip.tick() => { let _ = writer.write_all(b"x").await; }
            }
        }
        assert!(read.starts_with("HTTP/1.1 408"), "{read}");
    }
    assert_eq!(memory.said(), ["the request head took too long to arrive"; 2]);
}

#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_closed() {
    let limits = ConnectionLimits { idle_timeout: Duration::from_millis(200), ..ConnectionLimits::default() };
    let (server, address, memory) = start(limits).await;
    let (mut silent, mut used) = (connect(address, "").await, connect(address, GET).await);
    assert_eq!(read_to_end(&mut silent).await, "");
    assert!(read_to_end(&mut used).await.ends_with("hello"));
    drop((silent, used));
    server.empty().await;
    assert!(memory.said().is_empty());
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let (_server, address, _) = start(ConnectionLimits::default()).await;
    let head = "POST /refuse HTTP/1.1\r\nhost: a\r\ncontent-length: 4000000\r\n\r\n";
    let mut client = connect(address, head).await;
    // More than any socket buffer takes: a server that closes with it unread answers with a reset.
    client.write_all(&vec![b'x'; 4_000_000]).await.unwrap();
    assert!(read_until(&mut client, b"hello").await.starts_with(b"HTTP/1.1 413"));
}

#[tokio::test]
async fn a_websocket_is_closed_between_two_frames() {
    let (mut server, address, _) = start(ConnectionLimits::default()).await;
    let upgrade = "GET /websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let connections = server.connections();
    let mut client = connect(address, upgrade).await;
    read_until(&mut client, b"ab").await;
    let open = connections();
    assert_eq!((open.http1, open.http2, open.websockets), (1, 0, 1));
    server.close_listener().await;
    server.finish(Duration::ZERO);
    // Its frame is half out. Whatever would be put in now would be read as data.
    client.write_all(&[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
    let rest = read_until(&mut client, &[0x88, 2, 0x03, 0xe9]).await;
    assert_eq!(
        rest,
        [b'c', b'd', 0x88, 2, 0x03, 0xe9],
        "the rest of the frame, then the goodbye, and nothing after it"
    );
    client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    drop(client);
    server.empty().await;
    let closed = Connections { websockets_closed: 1, ..Connections::default() };
    assert_eq!(connections(), closed);
    drop(server);
    assert_eq!(connections(), closed, "no counter falls with its server");
}

#[tokio::test]
async fn a_websocket_whose_client_does_not_answer_the_close_is_cut() {
    let (mut server, address, _) = start(ConnectionLimits::default()).await;
    let upgrade = "GET /websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let mut client = connect(address, upgrade).await;
    read_until(&mut client, b"ab").await;
    client.write_all(b"x").await.unwrap();
    read_until(&mut client, &[0x81, 1, b'!']).await;
    server.close_listener().await;
    server.finish(Duration::ZERO);
    read_until(&mut client, &[0x88, 2, 0x03, 0xe9]).await;
    server.empty().await;
    assert_eq!(server.connections()().websockets_cut, 1);
}

#[tokio::test]
async fn an_event_stream_ends_in_order() {
    let (mut server, address, _) = start(ConnectionLimits::default()).await;
    let mut client = connect(address, "GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_until(&mut client, b"data: hello\n\n\r\n").await;
    server.close_listener().await;
    server.finish(Duration::from_millis(50));
    assert_eq!(read_to_end(&mut client).await, "0\r\n\r\n");
    drop(client);
    server.empty().await;
}

#[tokio::test]
async fn http2_clients_are_told_to_leave_and_lose_nothing() {
    let (server, address, _) = start(ConnectionLimits::default()).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut send, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = || Request::get("http://a/").body(Full::default()).unwrap();
    let answer = send.send_request(request()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(server.connections()(), Connections { http2: 1, ..Connections::default() });
    server.farewell(Duration::ZERO);
    // GOAWAY: the connection ends by itself, without an error.
    connection.await.unwrap().unwrap();
    assert!(send.send_request(request()).await.is_err());
    server.empty().await;
}

#[tokio::test]
async fn connections_that_wait_in_the_backlog_are_taken_in_before_it_closes() {
    let (mut server, address, _) = start(ConnectionLimits::default()).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(connect(address, GET).await);
    }
    server.close_listener().await;
    for client in &mut clients {
        read_until(client, b"hello").await;
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn one_connection_more_than_allowed_waits_and_is_reported_once() {
    let limits = ConnectionLimits { connections: 1, ..ConnectionLimits::default() };
    let (_server, address, memory) = start(limits).await;
    let mut first = connect(address, GET).await;
    read_until(&mut first, b"hello").await;
    let mut second = connect(address, GET).await;
    drop(first);
    read_until(&mut second, b"hello").await;
    assert_eq!(memory.said(), ["1 connections are open: more wait in the backlog"]);
}

#[tokio::test]
async fn where_probes_are_answered_the_longest_idle_connection_makes_room() {
    let limits = ConnectionLimits { connections: 2, ..ConnectionLimits::default() };
    let (_server, address, _) = start_with(limits, true).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = connect(address, GET).await;
        read_until(&mut client, b"hello").await;
        clients.push(client);
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_reported() {
    let (server, address, memory) = start(ConnectionLimits::default()).await;
    assert!(read_to_end(&mut connect(address, "NONSENSE\r\n\r\n").await).await.starts_with("HTTP/1.1 400"));
    server.empty().await;
    // One that stays on its refused connection, too.
    let mut stays = connect(address, "NONSENSE\r\n\r\n").await;
    assert!(read_to_end(&mut stays).await.starts_with("HTTP/1.1 400"));
    server.empty().await;
    assert_eq!(memory.said(), ["the request is malformed"; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_that_is_cut_is_counted() {
    // The last of them is dropped while somebody else counts already: one round would rarely show it.
    for _ in 0..50 {
        let (server, address, _) = start(ConnectionLimits::default()).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = connect(address, "GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await;
            read_until(&mut client, b"data: hello\n\n\r\n").await;
            clients.push(client);
        }
        assert_eq!(server.in_flight(), 3);
        let cut = server.cut().await;
        assert_eq!((cut.count, cut.shown.len()), (3, 3));
    }
}
