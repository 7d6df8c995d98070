//! The end, under load and in order.

use std::thread;

use crate::bed::{Orders, get, try_post};

/// A client behind a balancer: it sends no more when it has seen that the service is not ready any more. What it sent before is answered.
fn send_until_told(public: std::net::SocketAddr, admin: std::net::SocketAddr) -> Result<Vec<String>, String> {
    let mut placed = Vec::new();
    while get(admin, "/readyz").status == 200 {
        let answer = try_post(public, "/orders", "", "{}").map_err(|error| format!("lost: {error}"))?;
        if answer.status != 201 {
            return Err(format!("{}: {}", answer.status, answer.text()));
        }
        placed.push(answer.json()["id"].as_str().ok_or("no id")?.to_owned());
    }
    // The balancer has not looked away yet.
    let last = try_post(public, "/orders", "", "{}").map_err(|error| format!("lost: {error}"))?;
    placed.extend(last.json()["id"].as_str().map(str::to_owned));
    Ok(placed)
}

#[test]
fn a_stop_under_load_loses_nothing_and_lets_go_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().to_str().expect("it is UTF-8");
    let variables = [("DATA_DIR", data), ("RATE_LIMIT", "100000/s")];
    let orders = Orders::ready(&variables);
    let (public, admin) = (orders.public, orders.admin);
    let clients: Vec<_> = (0..4).map(|_| thread::spawn(move || send_until_told(public, admin))).collect();
    // In the middle of it.
    orders.log.until("the load is on", |lines| {
        (lines.iter().filter(|line| line.contains("order placed")).count() >= 40).then_some(())
    });
    orders.terminate();
    let placed = clients.into_iter().flat_map(|client| client.join().expect("no panic").expect("nothing is lost"));
    let placed: Vec<_> = placed.collect();
    let (status, log) = orders.ended();
    assert!(status.success(), "{log}");

    let order = [
        "SIGTERM received",
        "readiness withdrawn",
        "HTTP server closed",
        "worker ended",
        "phase workers",
        "queue closed",
        "phase queues",
        "database closed",
        "phase databases",
        "Graceful shutdown complete",
    ];
    let said = order.map(|part| log.find(part).unwrap_or_else(|| panic!("{part} was never said:\n{log}")));
    assert!(said.is_sorted(), "{said:?}\n{log}");

    // What was answered is stored, and done sooner or later.
    let orders = Orders::ready(&variables);
    orders.counts("queue_size{queue_name=\"orders\",status=\"waiting\"}", 0.0);
    for id in placed.iter().rev().take(20) {
        orders.fulfilled(id);
    }
    assert!(placed.len() >= 40, "{}", placed.len());
}

#[test]
fn a_stop_waits_for_a_payment_that_is_under_way() {
    let orders = Orders::ready(&[]);
    orders.payments("hang");
    let public = orders.public;
    let paying = thread::spawn(move || try_post(public, "/payments", "", "{}"));
    orders.counts("http_active_requests", 1.0);
    orders.terminate();
    let answer = paying.join().expect("no panic").expect("an answer, although the service stops");
    assert_eq!(answer.status, 504, "{}", answer.text());
    let (status, log) = orders.ended();
    assert!(status.success(), "{log}");
    assert!(log.contains("\"requests_cut\":0"), "{log}");
}
