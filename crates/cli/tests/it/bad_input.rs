//! What clients and upstreams do wrong: each kind has a status, a line in the log and a place in the metrics, and nothing of
//! it stays behind.

use crate::bed::{Client, Seaworthy, Upstream, open_files, resident, until};

const IMPATIENT: &str = "[limits]\nhead-timeout = \"300ms\"\nbody-grace = \"300ms\"";

/// Sends `bytes` over a connection of their own, and leaves without waiting.
fn sends_and_leaves(service: &Seaworthy, bytes: &[u8]) {
    service.client().send(bytes);
}

fn answered(service: &Seaworthy, bytes: &[u8]) -> u16 {
    let mut client = service.client();
    client.send(bytes);
    client.answer().status
}

#[test]
fn what_clients_do_wrong_is_answered_logged_and_counted() {
    let service = Seaworthy::app().config(IMPATIENT).ready();
    let counted = |series: &str| until(series, || (service.metric(series) >= 1.0).then_some(()));
    let logged = |problem: &str| {
        service.log.line(problem, |line| line["event"] == "client_error" && line["message"] == problem);
    };

    // It stays when it was refused, as scanners do.
    let mut stays = service.client();
    stays.send(b"GARBAGE\r\n\r\n");
    assert_eq!(stays.answer().status, 400);
    logged("the request is malformed");
    counted("seaworthy_client_errors_total{status=\"400\"}");
    counted("http_requests_refused_total{reason=\"bad_request\"}");
    drop(stays);

    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(answered(&service, long.as_bytes()), 431);
    logged("the request head is too large");
    counted("seaworthy_client_errors_total{status=\"431\"}");
    counted("http_requests_refused_total{reason=\"head_too_large\"}");

    assert_eq!(answered(&service, b"GET / HTTP/1.1\r\nHo"), 408);
    logged("the request head took too long to arrive");
    counted("seaworthy_client_errors_total{status=\"408\"}");
    counted("http_requests_refused_total{reason=\"request_too_slow\"}");

    sends_and_leaves(&service, b"GET / HTTP/1.1\r\nHost: half a head");
    logged("the client left in the middle of its request");
    counted("seaworthy_client_errors_total{status=\"none\"}");

    assert_eq!(answered(&service, b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"), 408);
    let line = service.log.line("an access line", |line| line["path"] == "/upload" && line["status"] == 408);
    assert_eq!(line["refusal"], "request_too_slow", "{line}");

    let mut waiting = service.client();
    waiting.request("GET", "/wait?left", "");
    until("it is in flight", || (service.metric("http_active_requests") >= 1.0).then_some(()));
    drop(waiting);
    service.log.line("an access line", |line| line["path"] == "/wait" && line["aborted"] == true);
    until("nothing is in flight", || (service.metric("http_active_requests") == 0.0).then_some(()));
}

#[test]
fn what_upstreams_do_wrong_is_answered_logged_and_counted() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let gone = format!("http://{}", nobody.local_addr().expect("it has an address"));
    let upstreams = [
        (Upstream::answering(b"SSH-2.0-OpenSSH_9.2\r\n"), 502, "upstream_invalid"),
        (Upstream::answering(b""), 502, "upstream_closed"),
        (Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Le"), 502, "upstream_closed"),
        (Upstream::silent(), 504, "upstream_timeout"),
    ];
    let limits = "[limits]\nconnect-timeout = \"200ms\"\nrequest-timeout = \"300ms\"";
    let fails = |service: &Seaworthy, status: u16, reason: &str| {
        assert_eq!(service.get("/").status, status, "{reason}");
        let line = service.log.line("an access line", |line| line["path"] == "/" && line["status"] == status);
        assert_eq!((&line["refusal"], &line["level"]), (&reason.into(), &"error".into()), "{line}");
        let series = format!("http_requests_refused_total{{reason=\"{reason}\"}}");
        until(&series, || (service.metric(&series) >= 1.0).then_some(()));
    };
    for (upstream, status, reason) in upstreams {
        fails(&Seaworthy::before(&upstream.url()).config(limits).ready(), status, reason);
    }
    let service = Seaworthy::before(&gone).config(limits).ready();
    drop(nobody);
    fails(&service, 502, "upstream_unreachable");
}

/// One of each kind.
fn mischief(service: &Seaworthy) {
    let bad: [&[u8]; 5] = [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /truncated HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    for bytes in bad {
        let mut client = service.client();
        client.send(bytes);
        client.finish_sending();
        let _ = client.closed();
    }
    for half in ["GET / HTTP/1.1\r\nHo", "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"] {
        sends_and_leaves(service, half.as_bytes());
    }
    sends_and_leaves(service, b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn bad_input_leaves_neither_descriptors_nor_memory_behind() {
    let service = Seaworthy::app().config(IMPATIENT).config("[log]\nlevel = \"error\"").ready();
    let pid = service.pid();
    let rest = || {
        until("nothing is open", || {
            let quiet = ["http_active_requests", "upstream_connections{state=\"idle\"}"];
            let connections = service.metric("http_active_connections{protocol=\"http1\"}");
            (connections == 0.0 && quiet.iter().all(|series| service.metric(series) == 0.0)).then_some(())
        });
    };
    // The first ones fill what is kept for good: pools, tables, the allocator's arenas.
    (0..100).for_each(|_| mischief(&service));
    rest();
    let (files, memory) = (open_files(pid), resident(pid));
    (0..200).for_each(|_| mischief(&service));
    rest();
    until("the descriptors are back", || (open_files(pid) <= files).then_some(()));
    let grown = resident(pid).saturating_sub(memory);
    // A leak of one kilobyte in each of 1,600 connections would be more.
    assert!(grown < 1_500_000, "{grown} bytes of {memory} more after 1,600 bad connections");
    let mut client = Client::connect(service.public);
    assert_eq!(client.get("/").status, 200);
}
