//! Connections: heads on their way, how long connections are kept, what is left when they are gone.

use rustix::process::Signal;

use crate::bed::{Client, Closed, Seaworthy, Upstream, get, open_files, until};

#[test]
fn the_program_sees_where_a_request_came_from_and_nothing_that_belongs_to_the_hop() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request("GET", "/head?a=%2F", "Connection: X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=9\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n");
    let seen = client.answer().json();
    assert_eq!(seen["url"], "/head?a=%2F");
    let headers = &seen["headers"];
    assert_eq!(headers["host"], "service.example");
    assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 127.0.0.1");
    assert_eq!(
        (&headers["x-forwarded-proto"], &headers["x-forwarded-host"]),
        (&"https".into(), &"service.example".into())
    );
    assert_eq!(headers["x-request-id"].as_str().map(str::len), Some(36));
    assert!(headers.get("x-private").is_none() && headers.get("keep-alive").is_none(), "{headers}");
}

#[test]
fn the_answer_carries_an_id_and_headers_and_says_nothing_of_the_programs_make() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request("GET", "/hide", "X-Request-ID: order-7\r\n");
    let answer = client.answer();
    assert_eq!(answer.header("x-request-id"), Some("order-7"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    for gone in ["server", "x-powered-by", "x-hop", "x-route"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    let line = service.log.line("its access line", |line| line["request_id"] == "order-7");
    assert_eq!((&line["status"], &line["route"]), (&200.into(), &"/hide/:id".into()), "{line}");
    assert_eq!(
        (&line["method"], &line["path"], &line["client"]),
        (&"GET".into(), &"/hide".into(), &"127.0.0.1".into()),
        "{line}"
    );
}

#[test]
fn an_id_that_could_harm_a_log_is_replaced() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request("GET", "/", "X-Request-ID: a b\"c\r\n");
    assert_eq!(client.answer().header("x-request-id").map(str::len), Some(36));
}

#[test]
fn the_clients_address_is_believed_from_trusted_proxies_only() {
    let service = Seaworthy::app().config("trusted-proxies = [\"127.0.0.0/8\"]").ready();
    let mut client = service.client();
    client.request("GET", "/json", "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n");
    assert_eq!(client.answer().status, 200);
    let line = service.log.line("its access line", |line| line["path"] == "/json");
    assert_eq!(line["client"], "203.0.113.9", "{line}");
}

#[test]
fn an_idle_connection_is_closed_in_order_after_its_time() {
    let service = Seaworthy::app().config("[limits]\nidle-timeout = \"300ms\"").ready();
    let mut client = service.client();
    assert_eq!(client.get("/").status, 200);
    assert_eq!(client.closed(), (Closed::Ended, Vec::new()));
}

#[test]
fn an_old_client_gets_its_connection_closed_and_one_that_asks_gets_it_kept() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().text(), "hello\n");
    assert_eq!(client.closed().0, Closed::Ended);

    let mut client = service.client();
    for _ in 0..2 {
        client.send("GET /json HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n");
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn a_connection_to_the_upstream_that_it_closed_is_not_used_again() {
    // Keeps no connection, and says nothing of it: the next request must find that out by itself.
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let service = Seaworthy::before(&upstream.url()).ready();
    let mut client = service.client();
    for _ in 0..50 {
        assert_eq!(client.get("/").text(), "ok");
    }
}

#[test]
fn file_descriptors_are_back_where_they_were() {
    let service = Seaworthy::app().ready();
    let pid = service.pid();
    let warm = |service: &Seaworthy| {
        for _ in 0..4 {
            assert_eq!(service.get("/").status, 200);
        }
    };
    warm(&service);
    until("the connections to the program are idle for too long", || {
        (service.metric("upstream_connections{state=\"idle\"}") == 0.0).then_some(())
    });
    let before = open_files(pid);
    let mut clients: Vec<_> = (0..200).map(|_| Client::connect(service.public)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        match number % 4 {
            0 => client.request("GET", "/json", ""),
            1 => client.send("GET / HTTP/1.1\r\nHo"),
            2 => client.request("GET", "/wait", ""),
            _ => {}
        }
    }
    until("all are open", || (open_files(pid) >= before + 200).then_some(()));
    drop(clients);
    // Some of the pool may stay for a while, as upstreams say.
    until("all are closed", || (open_files(pid) <= before).then_some(()));
    assert_eq!(get(service.public, "/").status, 200);
    service.signal(Signal::TERM);
    service.exit().with_code(0);
}
