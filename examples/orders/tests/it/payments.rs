//! Somebody else fails, hangs, or is not there.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::bed::{Client, Orders, free_port};

const STATE: &str = "circuit_breaker_state{service=\"stripe\"}";

#[test]
fn a_provider_that_fails_opens_the_breaker_and_costs_nothing_but_payments() {
    let orders = Orders::ready(&[]);
    assert_eq!(orders.post("/payments", "").status, 201);
    orders.counts(STATE, 0.0);
    orders.payments("fail");
    // One call is three attempts, and three failures in a minute are what the preset allows.
    assert_eq!(orders.post("/payments", "").status, 502);
    let opened = orders.log.event("breaker_opened");
    assert_eq!((&opened["level"], &opened["cause"]), (&"error".into(), &"3 failures within 60s".into()));
    orders.counts(STATE, 2.0);
    orders.counts("egress_retries_total{service=\"stripe\"}", 2.0);
    orders.counts("circuit_breaker_transitions_total{service=\"stripe\",to=\"open\"}", 1.0);

    let id = "the-request-of-a-test";
    let refused = orders.post_with("/payments", &format!("X-Request-ID: {id}\r\n"), "");
    assert_eq!(refused.status, 503);
    let wait: u32 = refused.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("a Retry-After");
    assert!((1..=60).contains(&wait), "{wait}");
    let problem = refused.json();
    assert_eq!(problem["type"], "urn:seaworthy:problem:breaker_open", "{problem}");
    assert_eq!(problem["request_id"], id);
    let line = orders.log.line("why the payment was not made", |line| line["reason"] == "breaker_open");
    assert_eq!(line["request_id"], id);
    orders.counts("circuit_breaker_calls_total{service=\"stripe\",outcome=\"refused\"}", 1.0);

    orders.stands("payments", "unhealthy");
    orders.probes("/readyz", 200);
    let id = orders.place();
    orders.fulfilled(&id);
    // It is back, and the breaker has yet to find out.
    orders.payments("ok");
    orders.stands("payments", "degraded");
}

#[test]
fn a_provider_that_hangs_makes_nobody_wait_for_longer_than_it_was_said() {
    let orders = Orders::ready(&[]);
    orders.payments("hang");
    let began = Instant::now();
    let answer = orders.post("/payments", "");
    // Three attempts of a second each; four in all, were they longer.
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!(answer.json()["type"], "urn:seaworthy:problem:upstream_timeout");
    orders.counts(STATE, 2.0);
    assert_eq!(orders.post("/payments", "").status, 503);
    orders.stands("payments", "unhealthy");
    assert_eq!(orders.check("payments")["class"], "timeout");
}

#[test]
fn a_provider_that_is_not_there_is_said_to_be_unreachable() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let orders = Orders::ready(&[("PAYMENTS_URL", &url)]);
    let answer = orders.post("/payments", "");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(answer.json()["type"], "urn:seaworthy:problem:upstream_unreachable");
    orders.counts(STATE, 2.0);
    orders.stands("payments", "unhealthy");
}

#[test]
fn a_payment_that_is_sent_again_is_made_once() {
    let orders = Orders::ready(&[]);
    let pay = || orders.post_with("/payments", "Idempotency-Key: basket-7\r\n", "{\"amount_cents\":1000}").json();
    let (first, second) = (pay(), pay());
    assert_eq!(first, second);
    orders.counts("revenue_total{currency=\"EUR\",product_type=\"goods\"}", 10.0);
    orders.counts("circuit_breaker_calls_total{service=\"stripe\",outcome=\"success\"}", 2.0);
}

#[test]
fn a_payment_is_written_down_although_its_client_has_left() {
    let orders = Orders::ready(&[]);
    orders.payments("slow");
    let mut client = Client::connect(orders.public);
    let head = "POST /payments HTTP/1.1\r\nHost: orders\r\nIdempotency-Key: left\r\nContent-Length: 0\r\n\r\n";
    client.send(head);
    orders.counts("http_active_requests", 1.0);
    drop(client);
    // It has left, and the charge is on its way.
    orders.counts("http_active_requests", 0.0);
    let made = orders.log.line("that it was made", |line| line["message"] == "payment made");
    assert_eq!(made["payment"], "left");
    orders.counts("revenue_total{currency=\"EUR\",product_type=\"goods\"}", 19.9);
}

#[test]
fn people_are_told_of_a_breaker_that_opens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let webhook = format!("http://{}/hooks/T0PSECRET", listener.local_addr().expect("it is bound"));
    let orders = Orders::ready(&[("ALERT_WEBHOOK", &webhook)]);
    orders.payments("fail");
    orders.post("/payments", "");
    // The check may have been quicker to find out.
    let asked = loop {
        let asked = answered(&listener);
        if asked.contains("{\"text\":\"orders: breaker stripe opened") {
            break asked;
        }
    };
    assert!(asked.starts_with("POST /hooks/T0PSECRET HTTP/1.1\r\n"), "{asked}");
    let log = orders.log.so_far();
    assert!(!log.contains("T0PSECRET"), "{log}");
}

/// Takes one request with a JSON object in it, and answers 200.
fn answered(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().expect("somebody calls");
    let mut asked = Vec::new();
    while !asked.ends_with(b"\"}") {
        let mut some = [0; 4096];
        let read = stream.read(&mut some).expect("a request");
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&asked));
        asked.extend_from_slice(&some[..read]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").expect("it reads");
    String::from_utf8(asked).expect("UTF-8")
}
