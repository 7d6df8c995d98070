//! What operators see: log lines and metrics.

use std::net::{SocketAddr, TcpListener};

use crate::bed::{Client, Seaworthy, get, promtool, until};

#[test]
fn the_exposition_passes_promtool() {
    let service = Seaworthy::app().ready();
    for target in ["/", "/none", "/hide"] {
        service.get(target);
    }
    let exposition = get(service.ops, "/metrics").body;
    assert_eq!(promtool(&exposition), Ok(()), "{}", String::from_utf8_lossy(&exposition));
}

#[test]
fn requests_are_counted_by_method_route_and_status() {
    let service = Seaworthy::app().ready();
    for _ in 0..3 {
        service.get("/hide");
        service.get("/none");
    }
    let series = |method: &str, route: &str, status: u16| {
        format!("http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
    };
    until("three are counted", || (service.metric(&series("GET", "/hide/:id", 200)) >= 3.0).then_some(()));
    until("three are counted", || (service.metric(&series("GET", "unmatched", 404)) >= 3.0).then_some(()));
}

#[test]
fn no_client_can_make_the_exposition_grow() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    let mut ask = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            // Node answers 400 to a method that it does not know, and closes.
            let mut odd = service.client();
            odd.request(&format!("METHOD{number}"), "/", "");
            assert_eq!(odd.answer().status, 400);
            client.request("GET", &format!("/{number}?{number}"), &format!("User-Agent: {number}\r\n"));
            assert_eq!(client.answer().status, 404);
        }
    };
    let lines = || get(service.ops, "/metrics").text().lines().filter(|line| line.starts_with("http_")).count();
    // The first ones may each bring a series into being.
    ask(0..20);
    let before = lines();
    ask(20..320);
    assert_eq!(lines(), before);
}

#[test]
fn no_secret_of_a_request_reaches_the_log() {
    let service = Seaworthy::app().config("[log]\nquery = true").ready();
    let mut client = service.client();
    client.request(
        "GET",
        "/json?page=2&access_token=abracadabra",
        "Authorization: Bearer abracadabra\r\nCookie: abracadabra\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let line = service.log.line("its access line", |line| line["path"] == "/json");
    assert!(line["query"].as_str().is_some_and(|query| query.contains("page=2")), "{line}");
    let log = service.stop().with_code(0).output;
    assert!(!log.contains("abracadabra"), "{log}");
}

#[test]
fn no_input_can_forge_a_line() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.send(b"GET /json HTTP/1.1\r\nHost: a\r\nUser-Agent: x\", \"forged\": \"\\ \t \xff \xc2\x9b\r\nX-Request-ID: {\"forged\":1}\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let line = service.log.line("its access line", |line| line["path"] == "/json");
    assert!(line.get("forged").is_none(), "{line}");
    // What a terminal would take for the beginning of a command is no part of it.
    assert!(!service.log.so_far().contains(['\t', '\u{9b}']));
}

#[test]
fn probes_and_scrapes_leave_no_line() {
    let service = Seaworthy::app().ready();
    get(service.ops, "/metrics");
    get(service.ops, "/health/live");
    assert_eq!(service.get("/json").status, 200);
    service.log.line("an access line", |line| line["path"] == "/json");
    let log = service.log.so_far();
    assert!(!log.contains("\"/metrics\"") && !log.contains("\"/health/live\""), "{log}");
}

/// A port that nobody has now: for those whose banner is not read.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free")
}

#[test]
fn a_stdout_that_nobody_reads_delays_no_request() {
    let address = free();
    let service = Seaworthy::app().listen(address).muted();
    until("it serves", || Client::try_connect(address).is_ok_and(|_| true).then_some(()));
    until("it is ready", || (get(address, "/").status == 200).then_some(()));
    // Each leaves a line, and the pipe holds some 200.
    let mut client = Client::connect(address);
    for _ in 0..3000 {
        assert_eq!(client.get("/json").status, 200);
    }
    drop(service);
}

#[test]
fn a_stdout_that_is_closed_kills_nothing() {
    let address = free();
    let mut service = Seaworthy::app().listen(address).muted();
    until("it serves", || Client::try_connect(address).is_ok_and(|_| true).then_some(()));
    until("it is ready", || (get(address, "/").status == 200).then_some(()));
    service.close_stdout();
    for _ in 0..200 {
        assert_eq!(get(address, "/").status, 200);
    }
}
