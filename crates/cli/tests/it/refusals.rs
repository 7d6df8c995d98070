//! Requests and answers that are not as they should be.

use crate::bed::{Answer, Client, Closed, Seaworthy, Upstream, until};

/// Asserts the status, the type of the problem and the id.
#[track_caller]
fn problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["type"], format!("urn:seaworthy:problem:{kind}"));
    assert_eq!(answer.header("x-request-id"), answer.json()["request_id"].as_str());
}

/// Asserts that `bytes` are answered with `status`, and that the connection is closed after it.
#[track_caller]
fn refused(service: &Seaworthy, bytes: &[u8], status: u16) {
    let mut client = service.client();
    client.send(bytes);
    let answer =
        client.read_answer(true).unwrap_or_else(|error| panic!("{:?}: {error}", String::from_utf8_lossy(bytes)));
    assert_eq!(answer.status, status, "{:?}", String::from_utf8_lossy(bytes));
    assert_eq!(client.closed().1, b"", "nothing follows");
}

#[test]
fn what_is_not_http_is_answered_400_and_closed() {
    let service = Seaworthy::app().ready();
    let malformed: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ];
    for bytes in malformed {
        refused(&service, bytes, 400);
    }
    assert_eq!(service.get("/").status, 200);
}

#[test]
fn two_readings_of_a_length_are_refused() {
    let service = Seaworthy::app().ready();
    for framing in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ] {
        refused(&service, format!("POST /upload HTTP/1.1\r\nHost: a\r\n{framing}\r\nhello").as_bytes(), 400);
    }
}

#[test]
fn after_a_request_with_two_framings_its_connection_is_not_used_again() {
    let service = Seaworthy::app().ready();
    for framings in
        ["Content-Length: 60\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 60\r\n"]
    {
        // By its length what follows is its body, by its chunks it is another request (RFC 9112, 6.1).
        let mut client = service.client();
        client.send(format!(
            "POST /head HTTP/1.1\r\nHost: a\r\n{framings}\r\n0\r\n\r\nGET /exit HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        assert!(answer.json()["headers"].get("content-length").is_none_or(|length| length == "0"), "{}", answer.text());
        assert_eq!(client.closed().1, b"", "nothing follows");
    }
    assert!(!service.log.so_far().contains("app_died"));
}

#[test]
fn half_a_head_is_answered_408() {
    let service = Seaworthy::app().config("[limits]\nhead-timeout = \"300ms\"").ready();
    refused(&service, b"GET / HTTP/1.1\r\nHost: a\r\n", 408);
    // On a kept connection, too.
    let mut client = service.client();
    assert_eq!(client.get("/").status, 200);
    client.send("GET / HT");
    assert_eq!(client.answer().status, 408);
    assert_eq!(client.closed().0, Closed::Ended);
}

#[test]
fn a_body_that_does_not_come_is_answered_408() {
    let service = Seaworthy::app().config("[limits]\nbody-grace = \"300ms\"").ready();
    let mut client = service.client();
    client.request("POST", "/upload", "Content-Length: 1000\r\n");
    client.send("hello");
    let answer = client.answer();
    problem(&answer, 408, "request_too_slow");
    assert_eq!(client.closed().0, Closed::Ended);
}

#[test]
fn a_body_that_comes_a_byte_at_a_time_is_answered_408() {
    let service = Seaworthy::app().config("[limits]\nbody-grace = \"500ms\"").ready();
    let mut client = service.client();
    client.request("POST", "/upload", "Content-Length: 10000\r\n");
    // Each byte comes well within the grace.
    until("it is refused", || {
        client.send("x");
        client.has_answer().then_some(())
    });
    problem(&client.answer(), 408, "request_too_slow");
}

#[test]
fn a_refusal_reaches_a_client_that_goes_on_sending() {
    let service = Seaworthy::app().config("[limits]\nbody-size = \"1KiB\"").ready();
    let mut client = service.client();
    client.request("POST", "/upload", "Content-Length: 4000000\r\n");
    // More than any buffer takes: a close with it unread would be a reset, which can destroy the answer.
    client.send("x".repeat(4_000_000));
    problem(&client.answer(), 413, "body_too_large");
    assert_eq!(client.closed().0, Closed::Ended);
}

#[test]
fn what_is_too_large_is_refused_by_the_limit_that_it_exceeds() {
    let limits = "[limits]\nbody-size = \"1KiB\"\nhead-size = \"16KiB\"\nheader-count = 50\nuri-length = \"1KiB\"";
    let service = Seaworthy::app().config(limits).ready();
    let mut client = service.client();
    client.request("POST", "/upload", "Content-Length: 2000\r\n");
    problem(&client.answer(), 413, "body_too_large");

    let mut client = service.client();
    client.request("POST", "/upload", "Transfer-Encoding: chunked\r\n");
    client.send(format!("7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2000)));
    problem(&client.answer(), 413, "body_too_large");

    problem(&service.get(&format!("/{}", "a".repeat(2000))), 414, "uri_too_long");
    let many = "X: y\r\n".repeat(60);
    refused(&service, format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n").as_bytes(), 431);
    let long = "x".repeat(40_000);
    refused(&service, format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").as_bytes(), 431);
}

#[test]
fn an_upstream_that_does_not_speak_http_is_502() {
    let upstream = Upstream::answering(b"SSH-2.0-OpenSSH_9.2\r\n");
    let service = Seaworthy::before(&upstream.url()).ready();
    problem(&service.get("/"), 502, "upstream_invalid");
}

#[test]
fn an_upstream_that_closes_without_an_answer_is_502_and_a_post_is_sent_once() {
    let upstream = Upstream::answering(b"");
    let service = Seaworthy::before(&upstream.url()).ready();
    let mut client = service.client();
    client.request("POST", "/order", "Content-Length: 2\r\n");
    client.send("{}");
    problem(&client.answer(), 502, "upstream_closed");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_upstream_that_never_answers_is_504() {
    let upstream = Upstream::silent();
    let service = Seaworthy::before(&upstream.url())
        .config("[limits]\nconnect-timeout = \"200ms\"\nrequest-timeout = \"300ms\"")
        .ready();
    let mut client = service.client();
    problem(&client.get("/"), 504, "upstream_timeout");
    let line = service.log.line("its access line", |line| line["status"] == 504);
    assert_eq!(line["refusal"], "upstream_timeout", "{line}");
}

#[test]
fn answers_that_cannot_be_framed_are_502() {
    let answers: [&'static [u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
    ];
    for answer in answers {
        let upstream = Upstream::answering(answer);
        let service = Seaworthy::before(&upstream.url()).ready();
        assert_eq!(service.get("/").status, 502, "{}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn an_upgrade_to_anything_but_a_websocket_does_not_pass() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request(
        "GET",
        "/head",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    );
    let answer = client.answer();
    // It is served as if nothing had been asked for, which a server may do (RFC 9110, 7.8).
    assert_eq!(answer.status, 200);
    let headers = &answer.json()["headers"];
    assert!(headers.get("upgrade").is_none() && headers.get("http2-settings").is_none(), "{headers}");
}

#[test]
fn connections_beyond_the_limit_of_an_address_are_closed_until_there_is_room() {
    let service = Seaworthy::app().config("[connection-limit]\nper-address = 3").ready();
    let mut kept: Vec<Client> = (0..3).map(|_| service.client()).collect();
    for client in &mut kept {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(service.client().closed().1, b"", "closed without an answer");
    drop(kept);
    until("there is room again", || {
        let mut client = service.client();
        client.request("GET", "/", "");
        client.read_answer(true).is_ok_and(|answer| answer.status == 200).then_some(())
    });
}

#[test]
fn connections_beyond_the_total_wait_until_there_is_room() {
    let service = Seaworthy::app().config("[connection-limit]\ntotal = 2").ready();
    let mut kept: Vec<Client> = (0..2).map(|_| service.client()).collect();
    for client in &mut kept {
        assert_eq!(client.get("/").status, 200);
    }
    let mut third = service.client();
    third.request("GET", "/json", "");
    service.log.event("connection_limit_hit");
    drop(kept);
    assert_eq!(third.answer().status, 200);
}
