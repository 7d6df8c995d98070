//! The ops listener over real sockets.

use std::net::SocketAddr;

use seaworthy::core::lifecycle::Change;
use seaworthy::health::Health;
use seaworthy::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::*;
use crate::gateway::{Bound, Listener};

struct Running {
    ops: Ops,
    address: SocketAddr,
    lifecycle: Lifecycle,
    health: Health,
    memory: Arc<Memory>,
}

fn endpoints(lifecycle: &Lifecycle, health: &Health, memory: &Arc<Memory>) -> Arc<Endpoints> {
    let vitals = Vitals::new(lifecycle.clone(), health.clone(), Instant::now(), memory.clone(), || true);
    let scrape = Scrape::new(|format| format!("{format:?}\n").into_bytes());
    Arc::new(Endpoints::new(probes(settings()), vitals, scrape, memory.clone()))
}

fn running() -> Running {
    let (memory, health) = (Arc::new(Memory::default()), Health::default());
    let lifecycle = Lifecycle::new(Arc::new(seaworthy::core::event::Nowhere));
    lifecycle.apply(Change::ProgramReady);
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let ops = Ops::serve(listener, endpoints(&lifecycle, &health, &memory), memory.clone()).unwrap();
    let Bound::Tcp(address) = *ops.bound() else { panic!("a TCP address") };
    Running { ops, address, lifecycle, health, memory }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `request` on a connection of its own, and reads until its end.
    async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, target: &str, headers: &str) -> String {
        self.exchange(&format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n")).await
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_default()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn probes_metrics_and_the_list_of_both_are_served() {
    let running = running();
    let ready = running.get("/readyz", "").await;
    assert_eq!(status(&ready), 200, "{ready}");
    assert!(ready.contains("cache-control: no-store\r\n"), "{ready}");
    assert!(ready.contains("content-type: application/json\r\n"), "{ready}");
    assert_eq!(body(&running.get("/metrics", "").await), "Text\n");
    let open = running.get("/metrics", "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n").await;
    assert_eq!(body(&open), "OpenMetrics\n");
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    let summary = running.get("/metrics?format=json", "").await;
    assert!(body(&summary).contains("\"services\":0,\"healthy\":0"), "{summary}");
    let index = running.get("/", "").await;
    assert!(body(&index).starts_with("api 1.4.2 is ready\n") && index.contains("/health/startup"), "{index}");
    let index = running.get("/", "Accept: application/json\r\n").await;
    assert!(body(&index).starts_with("{\"service\":\"api\""), "{index}");
    assert_eq!(running.memory.said(), [""; 0]);
}

#[tokio::test]
async fn head_has_the_head_of_get_and_no_body() {
    let running = running();
    let head = running.exchange("HEAD /livez?format=kubernetes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status(&head), body(&head)), (200, ""));
    assert!(head.contains("content-length: 2\r\n"), "{head}");
}

#[tokio::test]
async fn what_would_change_something_is_refused() {
    let running = running();
    let post = "POST /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let answer = running.exchange(post).await;
    assert_eq!(status(&answer), 405);
    assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    let with_body = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(status(&running.exchange(with_body).await), 413);
    let unknown = running.get("/secret", "").await;
    assert_eq!(status(&unknown), 404);
    assert!(unknown.contains("content-type: application/problem+json\r\n"), "{unknown}");
    assert_eq!(
        running.memory.said(),
        ["POST /readyz", "GET /readyz", "GET /secret"].map(|what| format!("refused on the ops listener: {what}"))
    );
}

#[tokio::test]
async fn garbage_is_answered_400_and_the_next_client_is_served() {
    let running = running();
    assert_eq!(status(&running.exchange("\x16\x03\x01 nonsense\r\n\r\n").await), 400);
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(20_000));
    // Closed with bytes unread, the answer may be lost to a reset; what matters is that it ends.
    let mut stream = running.connect().await;
    let _ = stream.write_all(long.as_bytes()).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(status(&running.get("/livez", "").await), 200);
    assert!(running.memory.said()[0].contains("the request is malformed"), "{:?}", running.memory.said());
}

#[tokio::test]
async fn clients_that_are_stuck_keep_nobody_from_an_answer_however_many_they_are() {
    let running = running();
    let mut stuck = Vec::new();
    for _ in 0..300 {
        let mut stream = running.connect().await;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost").await.unwrap();
        stuck.push(stream);
    }
    // Long before any of them runs out of its own time.
    let soon = Duration::from_secs(5);
    let probe = tokio::time::timeout(soon, running.get("/livez", "")).await.expect("answered at once");
    assert_eq!(status(&probe), 200);
    let mut byte = [0; 1];
    let oldest = tokio::time::timeout(soon, stuck[0].read(&mut byte)).await.expect("it made room for the newest");
    assert_eq!(oldest.unwrap_or(0), 0);
    let newest = tokio::time::timeout(Duration::from_millis(50), stuck[299].read(&mut byte)).await;
    assert!(newest.is_err(), "the newest is still open");
}

#[tokio::test]
async fn a_connection_is_kept_and_each_request_on_it_sees_the_state_of_its_moment() {
    let running = running();
    let mut stream = running.connect().await;
    let mut ask = async || {
        stream.write_all(b"GET /readyz?format=kubernetes HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer).await.unwrap();
        status(&String::from_utf8_lossy(&buffer[..length]))
    };
    assert_eq!(ask().await, 200);
    running.health.publish(Snapshot { checks: vec![refused(moment())], ..Snapshot::default() });
    assert_eq!(ask().await, 503);
    assert_eq!(ask().await, 503);
    running.health.publish(Snapshot::default());
    assert_eq!(ask().await, 200);
    running.lifecycle.apply(Change::StopAsked);
    assert_eq!(ask().await, 503);
    // Each turn is said once, not each answer; and a drain, which was asked for, is no failure.
    assert_eq!(running.memory.said(), ["the ready probe answers not_ready", "the ready probe answers ready again"]);
}

#[tokio::test]
async fn texts_of_errors_are_not_given_to_whoever_comes_through_a_proxy_on_this_machine() {
    let running = running();
    running.health.publish(Snapshot { checks: vec![refused(moment())], ..Snapshot::default() });
    assert!(running.get("/readyz", "").await.contains("10.0.0.7"));
    let through = running.get("/readyz", "X-Forwarded-For: 203.0.113.9\r\n").await;
    assert!(!through.contains("10.0.0.7") && through.contains("\"class\":\"refused\""), "{through}");
}

#[tokio::test]
async fn a_reload_counts_from_the_next_request_on() {
    let running = running();
    assert_eq!(status(&running.get("/ready", "").await), 404);
    let paths = [("/ready".to_owned(), config::Verdict::Ready)].into();
    running.ops.endpoints().set(probes(config::Probes { paths, ..settings() }));
    assert_eq!(status(&running.get("/ready", "").await), 200);
}

#[tokio::test]
async fn it_closes_at_once_although_a_client_is_stuck_in_its_head() {
    let running = running();
    let mut stuck = running.connect().await;
    stuck.write_all(b"GET /livez HT").await.unwrap();
    let address = running.address;
    let closed = tokio::time::timeout(Duration::from_secs(5), running.ops.close()).await;
    assert!(closed.is_ok(), "not closed within its second");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn it_serves_a_unix_socket_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ops.sock");
    let (memory, health) = (Arc::new(Memory::default()), Health::default());
    let lifecycle = Lifecycle::new(Arc::new(seaworthy::core::event::Nowhere));
    let endpoints = endpoints(&lifecycle, &health, &memory);
    let ops = Ops::serve(Listener::unix(&path).unwrap(), endpoints, memory).unwrap();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), 200);
    ops.close().await;
}
