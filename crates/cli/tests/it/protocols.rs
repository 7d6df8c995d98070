//! Other protocols than plain HTTP/1.1 over TCP.

use std::process::Command;

use crate::bed::{Seaworthy, output, program};

#[test]
fn websocket_messages_of_all_kinds_come_back() {
    let service = Seaworthy::run(["/usr/bin/python3".to_owned(), program("websocket_server.py")]).ready();
    let mut client = Command::new("/usr/bin/python3");
    client.arg(program("websocket_client.py")).arg("echo").arg(format!("ws://{}/", service.public));
    assert_eq!(output(&mut client), "all came back\n");
    service.stop().with_code(0);
}

#[test]
fn http2_with_prior_knowledge_is_served_by_a_program_that_knows_only_http1() {
    let service = Seaworthy::app().ready();
    // One transfer a process: curl 7.88 cannot use such a connection twice.
    let curl = |arguments: &[&str], path: &str| {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--http2-prior-knowledge",
            "--write-out",
            " %{http_version} %{http_code}",
        ]);
        output(curl.args(arguments).arg(format!("http://{}{path}", service.public)))
    };
    let answer = curl(&["--data", "some=form"], "/upload");
    assert!(answer.starts_with("{\"bytes\":9") && answer.ends_with(" 2 200"), "{answer}");
    let answer = curl(&[], "/head");
    assert!(answer.contains("\"version\":\"1.1\"") && answer.ends_with(" 2 200"), "{answer}");
    assert!(answer.contains(&format!("\"host\":\"{}\"", service.public)), "{answer}");
    assert!(curl(&["--head"], "/json").ends_with(" 2 200"));
}

#[test]
fn grpc_passes_with_trailers_streams_and_errors() {
    let service = Seaworthy::run(["/usr/bin/python3".to_owned(), program("grpc_server.py")]).ready();
    let mut client = Command::new("/usr/bin/python3");
    client.arg(program("grpc_client.py")).arg(service.public.to_string());
    assert_eq!(output(&mut client), "all calls went as they should\n");
    service.stop().with_code(0);
}

#[test]
fn a_unix_socket_may_stand_behind_and_before() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let behind = directory.path().join("app.sock");
    let mut node = Command::new("node");
    node.arg("-e")
        .arg("require('http').createServer((q, r) => r.end('over ' + q.headers.host)).listen(process.argv[1])");
    let mut node = node.arg(&behind).spawn().expect("node starts");
    let service = Seaworthy::before(&format!("unix:{}", behind.display())).ready();
    let mut client = service.client();
    client.request("GET", "/", "");
    assert_eq!(client.answer().text(), "over service.example");

    let before = directory.path().join("public.sock");
    let listening =
        Seaworthy::before(&format!("unix:{}", behind.display())).listen(format!("unix:{}", before.display())).spawn();
    listening.log.event("listening");
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--retry",
        "20",
        "--retry-all-errors",
        "--retry-delay",
        "1",
        "--fail",
        "--unix-socket",
    ]);
    assert_eq!(output(curl.arg(&before).arg("http://service.example/")), "over service.example");
    node.kill().expect("it runs");
    node.wait().expect("it ends");
}
