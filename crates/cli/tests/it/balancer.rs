//! Stops under the load of a balancer that looks away some time after readiness failed: nothing that it sent may be lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::bed::{Client, Seaworthy, get, until};

/// How long the balancer goes on to open connections after the probe failed, which is less than the delay.
const LAG: Duration = Duration::from_millis(300);
const DRAIN: &str = "grace = \"30s\"\ndelay = \"700ms\"";

/// What the balancer knows.
#[derive(Debug, Default)]
struct Balancer {
    looked_away: AtomicBool,
    answered: AtomicUsize,
}

impl Balancer {
    /// Asks the readiness probe until it fails, and looks away after the lag.
    fn watch(&self, ops: SocketAddr) {
        until("readiness is withdrawn", || (get(ops, "/health/ready").status == 503).then_some(()));
        let failed = Instant::now();
        until("the lag is over", || (failed.elapsed() > LAG).then_some(()));
        self.looked_away.store(true, Ordering::SeqCst);
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
    client.request("GET", &format!("/slow?ms={}", number * 97 % 500), "");
}

fn upload(client: &mut Client, number: usize) {
    let body = vec![b'x'; number * 7919 % 100_000];
    client.request("POST", "/upload", &format!("Content-Length: {}\r\n", body.len()));
    let (first, second) = body.split_at(body.len() / 2);
    client.send(first);
    client.send(second);
}

/// A few, or as many as `STOPS` says: the promise is for a hundred.
fn stops() -> usize {
    std::env::var("STOPS").map_or(4, |stops| stops.parse().expect("STOPS is a number"))
}

#[test]
fn no_request_is_lost_when_the_service_stops() {
    let (stops, mut answered) = (stops(), 0);
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
        let watching = balancer.clone();
        threads.push(thread::spawn(move || watching.watch(ops)));
        until("there is load", || (balancer.answered.load(Ordering::SeqCst) > 100).then_some(()));
        let exit = service.stop();
        for thread in threads {
            thread.join().expect("no request is lost");
        }
        exit.with_code(0).saying(&["Graceful shutdown complete", "\"requests_cut\":0"]);
        answered += balancer.answered.load(Ordering::SeqCst);
    }
    println!("{stops} stops under load: {answered} requests answered, none lost");
}
