//! Bodies in both directions: large ones, many small ones, streams, and those that break off.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Client, Closed, Seaworthy, get, output};

const SIZE: usize = 100_000_000;

/// 100 MB that do not repeat.
fn large_file(directory: &Path) -> PathBuf {
    let path = directory.join("large");
    let mut random = fastrand::Rng::with_seed(7);
    let mut bytes = vec![0; SIZE];
    random.fill(&mut bytes);
    std::fs::write(&path, bytes).expect("there is room for 100 MB");
    path
}

#[track_caller]
fn sha256(path: &Path) -> String {
    output(Command::new("sha256sum").arg(path)).split(' ').next().expect("a sum").to_owned()
}

#[test]
fn a_download_of_100_mb_arrives_as_it_was() {
    let starting = Seaworthy::run(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]);
    let file = large_file(starting.directory());
    let copy = starting.directory().join("copy");
    let service = starting.ready();
    let url = format!("http://{}/large", service.public);
    output(Command::new("curl").args(["--silent", "--show-error", "--fail", "--output"]).arg(&copy).arg(url));
    assert_eq!(sha256(&copy), sha256(&file));
}

#[test]
fn an_upload_of_100_mb_arrives_as_it_was_with_a_length_and_in_chunks() {
    let starting = Seaworthy::app();
    let file = large_file(starting.directory());
    let service = starting.ready();
    let sum = sha256(&file);
    for framing in ["Content-Type: x/y", "Transfer-Encoding: chunked"] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--header", framing, "--upload-file"]).arg(&file);
        let answer = output(curl.arg(format!("http://{}/upload", service.public)));
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!((&answer["bytes"], &answer["sha256"]), (&SIZE.into(), &sum.as_str().into()), "{framing}");
    }
}

#[test]
fn ten_thousand_requests_on_kept_connections_are_all_answered_each_with_an_id_of_its_own() {
    let service = Seaworthy::app().ready();
    let public = service.public;
    let clients: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(public);
                let ids = (0..1250).map(|_| {
                    let answer = client.get("/json");
                    assert_eq!(answer.status, 200);
                    answer.header("x-request-id").expect("every answer has an id").to_owned()
                });
                ids.collect::<Vec<_>>()
            })
        })
        .collect();
    let ids: HashSet<_> = clients.into_iter().flat_map(|client| client.join().expect("all went well")).collect();
    assert_eq!(ids.len(), 10_000);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.send(
        "GET /json HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let answers = [client.answer(), client.answer(), client.answer()];
    assert_eq!(answers.map(|answer| (answer.status, answer.body.len())), [(200, 32), (200, 6), (404, 13)]);
}

#[test]
fn head_gives_the_length_and_no_body() {
    let starting = Seaworthy::run(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]);
    std::fs::write(starting.directory().join("page"), "twelve bytes").expect("it can be written");
    let service = starting.ready();
    let mut client = service.client();
    client.request("HEAD", "/page", "");
    let head = client.head();
    assert_eq!((head.status, head.header("content-length")), (200, Some("12")));
    // The connection goes on with the next answer, not with a body.
    assert_eq!(client.get("/page").text(), "twelve bytes");
}

#[test]
fn a_client_that_expects_100_gets_it_before_it_sends_the_body() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request("POST", "/upload", "Content-Length: 5\r\nExpect: 100-continue\r\n");
    assert_eq!(client.head().status, 100);
    client.send("hello");
    assert_eq!(client.answer().json()["bytes"], 5);
}

#[test]
fn trailers_pass_both_ways() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request("GET", "/trailers", "TE: trailers\r\n");
    let answer = client.answer();
    assert_eq!((answer.text().as_str(), answer.trailer("x-checksum")), ("body", Some("abc")));

    client.request("POST", "/upload", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n");
    client.send("3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n");
    let answer = client.answer().json();
    assert_eq!((&answer["bytes"], &answer["trailers"]["x-sum"]), (&3.into(), &"9".into()), "{answer}");
}

#[test]
fn an_event_reaches_the_client_before_the_next_one_is_made() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request("GET", "/events", "Accept: text/event-stream\r\n");
    assert_eq!(client.head().status, 200);
    let mut event = |data: &str| loop {
        let line = client.line().expect("the stream goes on");
        if line.starts_with("data:") {
            assert_eq!(line, data);
            return;
        }
    };
    event("data: first");
    // Made only now, after the first has been read.
    for _ in 0..3 {
        assert_eq!(service.get("/event").status, 200);
        event("data: next");
    }
}

#[test]
fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let service = Seaworthy::app().ready();
    let mut client = service.client();
    client.request("GET", "/truncated", "");
    let broken = client.read_answer(true).expect_err("half a body is no answer");
    assert!(broken.to_string().contains("500 bytes before"), "{broken}");
    let line = service.log.line("its access line", |line| line["path"] == "/truncated");
    assert_eq!(line["aborted"], true, "{line}");
    // And nobody else is concerned.
    assert_eq!(service.get("/").status, 200);
}

#[test]
fn an_answer_before_the_end_of_an_upload_reaches_the_client() {
    let service = Seaworthy::app().ready();
    for _ in 0..20 {
        let mut client = service.client();
        client.request("POST", "/early", "Content-Length: 1000000\r\n");
        client.send(vec![b'x'; 200_000]);
        let answer = client.read_answer(true).expect("the answer, not a reset");
        assert_eq!((answer.status, answer.text().as_str()), (403, "no\n"));
        client.finish_sending();
        assert_eq!(client.closed().0, Closed::Ended);
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_upload_or_its_download_leaves_nothing_behind() {
    let service = Seaworthy::app().ready();
    for _ in 0..20 {
        let mut upload = service.client();
        upload.request("POST", "/upload", "Content-Length: 1000\r\n");
        upload.send("half of it");
        drop(upload);
        let mut waiting = service.client();
        waiting.request("GET", "/wait", "");
        drop(waiting);
    }
    crate::bed::until("nothing is in flight", || (service.metric("http_active_requests") == 0.0).then_some(()));
    assert_eq!(get(service.public, "/").status, 200);
    service.stop().with_code(0);
}
