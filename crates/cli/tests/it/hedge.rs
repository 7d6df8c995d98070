//! Second attempts of calls that the program makes through us.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bed::{Client, Flaky, Seaworthy, get, promtool, until};
use crate::egress::{call, calling, number, place};

fn hedges(seaworthy: &Seaworthy, outcome: &str) -> String {
    number(seaworthy, &format!("egress_hedges_total{{service=\"pay\",outcome=\"{outcome}\"}}"))
}

#[track_caller]
fn shown(seaworthy: &Seaworthy, key: &str) -> u64 {
    get(seaworthy.ops, "/breakers/pay").json()[key].as_u64().unwrap_or_else(|| panic!("{key} is a number"))
}

#[test]
fn a_slow_attempt_is_overtaken_cancelled_and_leaves_nothing_behind() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "hedge-after = \"50ms\"\nconcurrency = 2\nqueue = 0").listening();
    assert_eq!(hedges(&seaworthy, "won"), "0");
    let answer = call(&seaworthy, "GET", "/tardy", "X-Request-ID: order-17\r\n");
    assert_eq!((answer.status, answer.text().as_str()), (200, "in time"));
    until("the slow one is told", || flaky.was_left().then_some(()));
    let seen = flaky.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.header("x-request-id") == Some("order-17")), "{seen:?}");
    let told = seaworthy.log.line("the call", |line| line["request_id"] == "order-17");
    assert_eq!((&told["hedged"], &told["attempts"]), (&true.into(), &1.into()), "{told}");
    for (outcome, count) in [("won", "1"), ("lost", "0"), ("budget_exhausted", "0")] {
        assert_eq!(hedges(&seaworthy, outcome), count, "{outcome}");
    }
    assert_eq!((shown(&seaworthy, "hedges"), shown(&seaworthy, "hedges_won")), (1, 1));
    assert_eq!(
        (shown(&seaworthy, "running"), shown(&seaworthy, "probes")),
        (0, 0),
        "its place and its lease came back"
    );
    let cancelled = "circuit_breaker_calls_total{service=\"pay\",outcome=\"cancelled\"}";
    assert_eq!(number(&seaworthy, cancelled), "1", "that is no failure of the service");
    // Both places are free: a call and its second attempt run again.
    flaky.is_tardy_again();
    assert_eq!(call(&seaworthy, "GET", "/tardy", "").status, 200);
    let quick = call(&seaworthy, "GET", "/", "X-Request-ID: order-18\r\n");
    assert_eq!(quick.status, 200);
    assert_eq!(seaworthy.log.line("the call", |line| line["request_id"] == "order-18")["hedged"], false);
    let page = get(seaworthy.ops, "/metrics").body;
    assert_eq!(promtool(&page), Ok(()), "{}", String::from_utf8_lossy(&page));
}

#[test]
fn neither_a_post_nor_a_body_that_is_not_kept_is_sent_twice() {
    let flaky = Flaky::http();
    let keys = "hedge-after = \"30ms\"\nhedge-methods = \"idempotent\"\nretry-body = \"4B\"";
    let seaworthy = calling(&flaky, keys).listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let count = |path: &str| flaky.seen().iter().filter(|seen| seen.target == path).count();
    let mut calls = Vec::new();
    for (method, path, headers, body) in [
        ("POST", "/post/held", "Content-Length: 4\r\n", "body"),
        ("POST", "/key/held", "Idempotency-Key: a\r\nContent-Length: 4\r\n", "body"),
        ("PUT", "/streamed/held", "Transfer-Encoding: chunked\r\n", "4\r\nbody\r\n0\r\n\r\n"),
        ("PUT", "/large/held", "Content-Length: 5\r\n", "large"),
        ("PUT", "/kept/held", "Content-Length: 4\r\n", "body"),
    ] {
        let mut client = Client::connect(address);
        client.request(method, &format!("{prefix}{path}"), headers);
        client.send(body);
        until("the call is there", || (count(path) >= 1).then_some(()));
        calls.push(client);
    }
    // It came last, so that by now any of the others would have been sent twice as well.
    until("the kept one is sent twice", || (count("/kept/held") == 2).then_some(()));
    for path in ["/post/held", "/key/held", "/streamed/held", "/large/held"] {
        assert_eq!(count(path), 1, "{path}");
    }
    flaky.release();
    for mut client in calls {
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(shown(&seaworthy, "hedges"), 1);
}

#[test]
fn what_is_slow_is_learnt_from_the_calls_themselves() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "hedge-percentile = 99\nretry-budget-percent = 100").listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let (mut client, began, mut calls) = (Client::connect(address), Instant::now(), 0);
    // What is usual is worked out again now and then, and not with each call.
    while calls < 25 || began.elapsed() < Duration::from_millis(300) {
        assert_eq!(client.get(&format!("{prefix}/")).status, 200);
        calls += 1;
    }
    assert_eq!(client.get(&format!("{prefix}/tardy")).text(), "in time");
    assert_ne!(hedges(&seaworthy, "won"), "0");
}

#[test]
fn a_reload_begins_second_attempts_and_ends_them_and_their_count_goes_on() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "").listening();
    assert!(!get(seaworthy.ops, "/metrics").text().contains("egress_hedges_total"), "nobody asked for any");
    let control = format!("control = {:?}\negress-listen = \"127.0.0.1:0\"\n", seaworthy.control_path());
    let reload = |times: usize, keys: &str| {
        seaworthy.configure(&format!("{control}[egress.pay]\nurl = {:?}\n{keys}", flaky.url()));
        seaworthy.signal(Signal::HUP);
        seaworthy.log.until("it was reloaded", |lines| {
            (lines.iter().filter(|line| line.contains("\"config_reloaded\"")).count() >= times).then_some(())
        });
    };
    reload(1, "hedge-after = \"30ms\"");
    assert_eq!(call(&seaworthy, "GET", "/tardy", "").text(), "in time");
    reload(2, "hedge-after = \"30ms\"\nretries = 1");
    flaky.is_tardy_again();
    assert_eq!(call(&seaworthy, "GET", "/tardy", "").text(), "in time");
    assert_eq!(hedges(&seaworthy, "won"), "2");
    reload(3, "attempt-timeout = \"200ms\"\nretries = 0");
    flaky.is_tardy_again();
    assert_eq!(call(&seaworthy, "GET", "/tardy", "").status, 504, "nothing overtakes it any more");
    assert_eq!(hedges(&seaworthy, "won"), "2");
}
