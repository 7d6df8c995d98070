//! Stops under the load of a balancer that looks away some time after readiness failed: nothing that it sent may be lost.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::bed::{Client, PATIENCE, Seaworthy, get, until};

/// How long the balancer goes on to open connections after the probe failed, which is less than the delay.
const LAG: Duration = Duration::from_millis(300);
const DRAIN: &str = "grace = \"30s\"\ndelay = \"700ms\"";

/// What the balancer knows.
#[derive(Debug, Default)]
struct Balancer {
    looked_away: AtomicBool,
    answered: AtomicUsize,
    messages: AtomicUsize,
    live: AtomicUsize,
}

impl Balancer {
    /// Asks the readiness probe until it fails, and looks away after the lag.
    fn watch(&self, ops: SocketAddr) {
        until("readiness is withdrawn", || (get(ops, "/health/ready").status == 503).then_some(()));
        let failed = Instant::now();
        until("the lag is over", || (failed.elapsed() > LAG).then_some(()));
        self.looked_away.store(true, Ordering::SeqCst);
    }

    /// Asks for liveness until nobody answers any more: it may never fail.
    fn watch_live(&self, ops: SocketAddr) {
        while let Ok(mut client) = Client::try_connect(ops) {
            // The ops listener goes last, and may do so in the middle of a probe.
            let asked = client.try_send("GET /health/live HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
            let Ok(answer) = asked.and_then(|()| client.read_answer(true)) else { return };
            assert_eq!(answer.status, 200, "{}", answer.text());
            self.live.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends one message after another, and goes when it is told to.
    fn talk(&self, public: SocketAddr) {
        let mut socket = websocket(public);
        for number in 0_usize.. {
            let message = Message::text(number.to_string());
            let sent = socket.send(message.clone());
            match socket.read() {
                Ok(Message::Close(close)) => {
                    assert_eq!(close.map(|close| close.code), Some(CloseCode::Away));
                    return;
                }
                Ok(echo) => assert_eq!(echo, message),
                Err(error) => panic!("WebSocket message {number} is lost: {error}, {sent:?}"),
            }
            self.messages.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends one request after another: `send` is given the connection and the number of the request. A connection is
    /// kept until an answer says goodbye, or never.
    fn load(&self, public: SocketAddr, keep: bool, send: impl Fn(&mut Client, usize)) {
        let (mut kept, mut number): (Option<Client>, usize) = (None, 0);
        while !self.looked_away.load(Ordering::SeqCst) {
            let mut client = kept.take().unwrap_or_else(|| Client::connect(public));
            send(&mut client, number);
            let answer = client.read_answer(true).unwrap_or_else(|error| panic!("request {number} is lost: {error}"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            self.answered.fetch_add(1, Ordering::SeqCst);
            number += 1;
            if keep && answer.header("connection") != Some("close") {
                kept = Some(client);
            }
        }
    }
}

fn short(client: &mut Client, _: usize) {
    client.request("GET", "/json", "");
}

fn slow(client: &mut Client, number: usize) {
    // From 0 to 3 s, a short one first.
    client.request("GET", &format!("/slow?ms={}", number * 1_237 % 3_000), "");
}

fn upload(client: &mut Client, number: usize) {
    let body = vec![b'x'; number * 7919 % 100_000];
    client.request("POST", "/upload", &format!("Content-Length: {}\r\n", body.len()));
    let (first, second) = body.split_at(body.len() / 2);
    client.send(first);
    client.send(second);
}

fn websocket(public: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(public).expect("the listener is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("it has timeouts");
    let (socket, _) = client(format!("ws://{public}/"), stream).expect("the program speaks WebSocket");
    socket
}

/// A few, or as many as `STOPS` says: the promise is for a hundred.
fn stops() -> usize {
    std::env::var("STOPS").map_or(3, |stops| stops.parse().expect("STOPS is a number"))
}

#[test]
fn no_request_is_lost_when_the_service_stops() {
    let (stops, mut answered, mut messages, mut live) = (stops(), 0, 0, 0);
    for _ in 0..stops {
        let service = Seaworthy::app().drain(DRAIN).ready();
        let (public, ops, balancer) = (service.public, service.ops, Arc::new(Balancer::default()));
        let mut threads = Vec::new();
        for send in [short, slow, upload] {
            for keep in [true, false] {
                let balancer = balancer.clone();
                threads.push(thread::spawn(move || balancer.load(public, keep, send)));
            }
        }
        let (talking, watching, living) = (balancer.clone(), balancer.clone(), balancer.clone());
        threads.push(thread::spawn(move || talking.talk(public)));
        threads.push(thread::spawn(move || watching.watch(ops)));
        threads.push(thread::spawn(move || living.watch_live(ops)));
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        until("there is load", || (count(&balancer.answered) > 100 && count(&balancer.messages) > 10).then_some(()));
        let exit = service.stop();
        for thread in threads {
            thread.join().expect("no request is lost");
        }
        exit.with_code(0).saying(&["Graceful shutdown complete", "\"requests_cut\":0"]);
        answered += count(&balancer.answered);
        messages += count(&balancer.messages);
        live += count(&balancer.live);
    }
    // Not by `println`, which shows the figures of a test only when it fails.
    let figures = format!(
        "{stops} stops under load: {answered} requests and {messages} WebSocket messages answered, none lost; \
         {live} of {live} liveness probes answered 200\n"
    );
    std::io::stderr().write_all(figures.as_bytes()).expect("the tests have an output");
}
