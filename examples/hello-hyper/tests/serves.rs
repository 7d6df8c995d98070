//! The example as a process: it serves, it drains, and it ends with 0.

#[path = "../../hello.rs"]
mod hello;

use hello::{Hello, get};

#[test]
fn it_serves_and_a_stop_loses_nothing() {
    let mut hello = Hello::start(env!("CARGO_BIN_EXE_hello-hyper"));
    let answer = get(hello.public, "/");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("Hello, world!\n"), "{answer}");
    assert!(answer.contains("x-request-id: ") && answer.contains("x-frame-options: DENY"), "{answer}");
    assert!(get(hello.admin, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(hello.admin, "/metrics").contains("http_requests_total{"));
    hello.terminate();
    hello.line("readiness withdrawn");
    // The balancer has not looked away yet.
    assert!(get(hello.admin, "/readyz").starts_with("HTTP/1.1 503"));
    assert!(get(hello.admin, "/livez").starts_with("HTTP/1.1 200"));
    assert!(get(hello.public, "/").starts_with("HTTP/1.1 200"));
    hello.line("Graceful shutdown complete");
    assert!(hello.ended().success());
}
