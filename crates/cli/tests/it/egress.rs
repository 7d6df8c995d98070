//! Calls of the program to services, through us.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bed::{Answer, Authority, Client, Flaky, Seaworthy, Starting, get, until};

/// Nothing but the service `pay`, with these keys.
pub(crate) fn calling(flaky: &Flaky, keys: &str) -> Starting {
    nothing().config(&format!("[egress.pay]\nurl = {:?}\n{keys}", flaky.url()))
}

pub(crate) fn nothing() -> Starting {
    Seaworthy::run::<String>([]).config("egress-listen = \"127.0.0.1:0\"").controlled()
}

/// Where `name` is called: the listener, and the path on it.
#[track_caller]
pub(crate) fn place(seaworthy: &Seaworthy, name: &str) -> (SocketAddr, String) {
    let line = seaworthy.log.line(&format!("{name} is listened for"), |line| {
        line["event"] == "egress_listening" && line["peer_service"] == name
    });
    let place = line["place"].as_str().and_then(|place| place.strip_prefix("http://")).expect("a URL");
    let (address, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    (address.parse().expect("an address"), path.to_owned())
}

/// A call to `pay`.
#[track_caller]
pub(crate) fn call(seaworthy: &Seaworthy, method: &str, path: &str, headers: &str) -> Answer {
    let (address, prefix) = place(seaworthy, "pay");
    let mut client = Client::connect(address);
    client.request(method, &format!("{prefix}{path}"), headers);
    client.answer()
}

#[track_caller]
fn state(seaworthy: &Seaworthy) -> String {
    get(seaworthy.ops, "/breakers/pay").json()["state"].as_str().expect("a state").to_owned()
}

/// A metric that counts.
#[track_caller]
pub(crate) fn number(seaworthy: &Seaworthy, series: &str) -> String {
    seaworthy.metric(series).to_string()
}

const TRIPS_AT_ONCE: &str = "failures = 3\nretries = 0\nopen = \"150ms\"";

#[test]
fn a_breaker_trips_answers_at_once_probes_and_recovers_for_all_to_see() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, TRIPS_AT_ONCE).listening();
    assert_eq!(call(&seaworthy, "GET", "/charges", "").status, 200);
    flaky.answers(500);
    for _ in 0..3 {
        assert_eq!(call(&seaworthy, "GET", "/charges", "").status, 500);
    }
    let opened = seaworthy.log.event("breaker_opened");
    assert_eq!((opened["peer_service"].as_str(), opened["level"].as_str()), (Some("pay"), Some("error")), "{opened}");
    // The open time may be over before the call comes: then it is a probe, which fails.
    let refused = until("a call is refused", || {
        let answer = call(&seaworthy, "GET", "/charges", "X-Request-ID: order-17\r\n");
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["type"], "urn:seaworthy:problem:breaker_open");
    let told = seaworthy.log.line("the refused call", |line| line["request_id"] == "order-17");
    assert_eq!(
        (told["refusal"].as_str(), told["peer_service"].as_str()),
        (Some("breaker_open"), Some("pay")),
        "{told}"
    );
    assert!(seaworthy.metric("circuit_breaker_calls_total{service=\"pay\",outcome=\"refused\"}") >= 1.0);
    flaky.answers(200);
    until("it recovers", || (call(&seaworthy, "GET", "/charges", "").status == 200).then_some(()));
    assert_eq!(state(&seaworthy), "closed");
    seaworthy.log.event("breaker_half_open");
    seaworthy.log.event("breaker_closed");
    for (to, least) in [("closed", 1.0), ("half_open", 1.0), ("open", 1.0)] {
        let series = format!("circuit_breaker_transitions_total{{service=\"pay\",to=\"{to}\"}}");
        assert!(seaworthy.metric(&series) >= least, "{to}");
    }
    assert_eq!(get(seaworthy.ops, "/metrics").text().matches("circuit_breaker_state{service=\"pay\"} 0").count(), 1);
}

#[test]
fn an_open_breaker_is_shown_refused_on_the_ops_listener_and_reset_over_the_control_socket() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "failures = 1\nretries = 0\nopen = \"1h\"").listening();
    flaky.answers(503);
    assert_eq!(call(&seaworthy, "GET", "/", "").status, 503);
    let all = get(seaworthy.ops, "/breakers").json();
    assert_eq!(all["breakers"][0]["name"], "pay", "{all}");
    assert_eq!((&all["breakers"][0]["state"], &all["breakers"][0]["opened"]), (&"open".into(), &1.into()), "{all}");
    assert_eq!(number(&seaworthy, "circuit_breaker_state{service=\"pay\"}"), "2");
    let mut posting = Client::connect(seaworthy.ops);
    posting.request("POST", "/breakers/pay/reset", "");
    assert_eq!(posting.answer().status, 405, "the ops listener is read-only");
    assert_eq!(state(&seaworthy), "open");
    seaworthy.tell(&["breakers", "--format", "text"]).with_code(0).saying(&["✗ pay  open"]);
    seaworthy.tell(&["status", "--format", "text"]).with_code(0).saying(&["✗ pay  open"]);
    seaworthy.tell(&["breakers", "reset", "mail"]).with_code(1).saying(&["no breaker is called \"mail\"", "pay"]);
    seaworthy.tell(&["breakers", "reset", "pay"]).with_code(0);
    assert_eq!(state(&seaworthy), "closed");
    assert_eq!(seaworthy.log.event("breaker_reset")["peer_service"], "pay");

    assert_eq!(call(&seaworthy, "GET", "/", "").status, 503);
    assert_eq!(state(&seaworthy), "open");
    let mut socket = UnixStream::connect(seaworthy.control_path()).expect("the control socket");
    socket.write_all(b"POST /breakers/pay/reset HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it takes it");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer, and an end");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("pay is closed"), "{answer}");
    assert_eq!(state(&seaworthy), "closed");
}

#[test]
fn a_get_is_tried_again_a_post_is_not_unless_it_carries_a_key() {
    let flaky = Flaky::http();
    let keys = "breaker = \"disabled\"\nretries = 2\nretry-backoff = \"1ms\"";
    let seaworthy = calling(&flaky, keys).listening();
    flaky.answers(503);
    for (method, headers, attempts) in [
        ("GET", "", 3),
        ("POST", "Content-Length: 4\r\n\r\nbody", 1),
        ("POST", "Idempotency-Key: a\r\nContent-Length: 4\r\n\r\nbody", 3),
    ] {
        let before = flaky.seen().len();
        let (address, prefix) = place(&seaworthy, "pay");
        let mut client = Client::connect(address);
        let (head, body) = headers
            .split_once("\r\n\r\n")
            .map_or((headers.to_owned(), ""), |(head, body)| (format!("{head}\r\n"), body));
        client.request(method, &format!("{prefix}/charges?a=1"), &head);
        client.send(body);
        assert_eq!(client.answer().status, 503);
        let seen = flaky.seen().split_off(before);
        assert_eq!(seen.len(), attempts, "{method} {headers:?}");
        assert!(
            seen.iter()
                .all(|seen| seen.method == method && seen.target == "/charges?a=1" && seen.body == body.as_bytes()),
            "{seen:?}"
        );
    }
    assert_eq!(number(&seaworthy, "egress_retries_total{service=\"pay\"}"), "4");
}

#[test]
fn retries_are_within_a_budget_of_all_calls() {
    let flaky = Flaky::http();
    let keys = "breaker = \"disabled\"\nretries = 1\nretry-backoff = \"1ms\"\nretry-budget-percent = 0";
    let seaworthy = calling(&flaky, keys).listening();
    flaky.answers(503);
    let (address, prefix) = place(&seaworthy, "pay");
    let mut client = Client::connect(address);
    let began = Instant::now();
    for _ in 0..60 {
        assert_eq!(client.get(&format!("{prefix}/")).status, 503);
    }
    // Three a second over ten seconds, and what came to it meanwhile where the machine is slow.
    let allowed = 30 + 3 * usize::try_from(began.elapsed().as_secs()).expect("not so long");
    assert!(flaky.seen().len() <= 60 + allowed, "{} of {allowed}", flaky.seen().len() - 60);
    assert!(flaky.seen().len() > 60, "some were tried again");
    assert!(seaworthy.metric("retry_budget_exhausted_total{service=\"pay\"}") > 0.0);
    seaworthy.log.event("retry_budget_exhausted");
}

#[test]
fn a_name_that_leads_inside_is_refused_unless_its_network_is_named() {
    let flaky = Flaky::http();
    let url = format!("http://pay.localhost:{}", flaky.address.port());
    let seaworthy = nothing().config(&format!("[egress.pay]\nurl = {url:?}\nretries = 0")).listening();
    let refused = call(&seaworthy, "GET", "/", "");
    assert_eq!(refused.status, 502, "{}", refused.text());
    assert_eq!(refused.json()["type"], "urn:seaworthy:problem:destination_forbidden");
    assert!(flaky.seen().is_empty(), "nobody was asked");
    assert_eq!(seaworthy.log.event("egress_failed")["reason"], "destination_forbidden");
    assert_eq!(state(&seaworthy), "closed", "that is no failure of the service");

    let named = "private = [\"127.0.0.0/8\", \"::1\"]";
    let seaworthy = nothing().config(&format!("[egress.pay]\nurl = {url:?}\n{named}")).listening();
    assert_eq!(call(&seaworthy, "GET", "/", "").status, 200);
}

#[test]
fn only_what_is_configured_can_be_called_and_redirects_are_not_followed() {
    let (flaky, other) = (Flaky::http(), Flaky::http());
    let seaworthy = calling(&flaky, "").listening();
    flaky.redirects_to(&format!("{}/elsewhere", other.url()));
    let answer = call(&seaworthy, "GET", "/redirect", "");
    assert_eq!((answer.status, answer.header("location")), (302, Some(&*format!("{}/elsewhere", other.url()))));
    flaky.redirects_to(&format!("{}/next", flaky.url()));
    assert_eq!(call(&seaworthy, "GET", "/redirect", "").header("location"), Some("/pay/next"));
    let (address, _) = place(&seaworthy, "pay");
    for (target, status) in [("/mail/", 404), ("/", 404), ("/pay/../x", 400), (&*format!("{}/", other.url()), 502)] {
        assert_eq!(get(address, target).status, status, "{target}");
    }
    assert!(other.seen().is_empty(), "nobody was sent there");
}

#[test]
fn ids_and_traces_go_along_and_what_belongs_to_one_hop_does_not() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "").listening();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers =
        format!("X-Request-ID: order-1\r\ntraceparent: {trace}\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n");
    let answer = call(&seaworthy, "GET", "/echo", &headers);
    assert_eq!(answer.header("x-request-id"), Some("of-the-service"), "whose support will ask for it");
    let seen = &flaky.seen()[0];
    assert_eq!(seen.header("x-request-id"), Some("order-1"));
    assert_eq!(seen.header("traceparent"), Some(trace));
    assert_eq!(seen.header("x-hop"), None);
    assert_eq!(seen.header("host"), Some(&*flaky.address.to_string()));
    call(&seaworthy, "GET", "/echo", "");
    let made = flaky.seen()[1].header("x-request-id").map(str::to_owned).expect("one was made");
    seaworthy.log.line("the call by its id", |line| line["request_id"] == made && line["event"] == "egress_called");
}

#[test]
fn tls_is_verified_by_the_authority_that_was_named_and_by_no_other() {
    let authority = Authority::make();
    let flaky = Flaky::https(&authority);
    let url = format!("https://localhost:{}", flaky.address.port());
    let config = format!("[egress.pay]\nurl = {url:?}\nretries = 0\n");
    let believing = format!("{config}ca-file = {:?}", authority.file().display().to_string());
    let seaworthy = nothing().config(&believing).listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let mut client = Client::connect(address);
    client.request("POST", &format!("{prefix}/echo"), "Content-Length: 5\r\n");
    client.send("hello");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));

    let seaworthy = nothing().config(&config).listening();
    assert_eq!(call(&seaworthy, "GET", "/", "").status, 502);
    let failed = seaworthy.log.event("egress_failed");
    assert!(failed["message"].as_str().is_some_and(|text| text.contains("certificate")), "{failed}");
}

#[test]
fn bodies_stream_both_ways() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "").listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let mut client = Client::connect(address);
    client.request("GET", &format!("{prefix}/stream"), "");
    assert_eq!(client.head().status, 200);
    assert_eq!((client.line().ok().as_deref(), client.line().ok().as_deref()), (Some("5"), Some("first")));
    flaky.release();
    assert_eq!((client.line().ok().as_deref(), client.line().ok().as_deref()), (Some("4"), Some("last")));

    let mut client = Client::connect(address);
    client.request("PUT", &format!("{prefix}/echo"), "Transfer-Encoding: chunked\r\n");
    client.send("3\r\nabc\r\n");
    client.send("2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "abcde");
}

#[test]
fn a_caller_that_leaves_takes_its_call_along_and_counts_as_nobodys_failure() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "failures = 1").listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let mut client = Client::connect(address);
    client.request("GET", &format!("{prefix}/hang"), "");
    until("the call is there", || (!flaky.seen().is_empty()).then_some(()));
    assert_eq!(number(&seaworthy, "egress_active_requests{service=\"pay\"}"), "1");
    drop(client);
    until("the service sees it leave", || flaky.was_left().then_some(()));
    let cancelled = "circuit_breaker_calls_total{service=\"pay\",outcome=\"cancelled\"}";
    until("it is counted", || (number(&seaworthy, cancelled) == "1").then_some(()));
    assert_eq!(number(&seaworthy, "egress_active_requests{service=\"pay\"}"), "0");
    assert_eq!(state(&seaworthy), "closed");
}

#[test]
fn a_service_that_hangs_is_given_up_in_time_and_a_full_bulkhead_refuses_at_once() {
    let flaky = Flaky::http();
    let keys = "retries = 0\nattempt-timeout = \"300ms\"\nconcurrency = 1\nqueue = 0";
    let seaworthy = calling(&flaky, keys).listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let mut hanging = Client::connect(address);
    hanging.request("GET", &format!("{prefix}/hang"), "");
    until("the call is there", || (!flaky.seen().is_empty()).then_some(()));
    let full = call(&seaworthy, "GET", "/", "");
    // On a slow machine the first is given up before.
    if full.status != 200 {
        assert_eq!(full.json()["type"], "urn:seaworthy:problem:bulkhead_full", "{}", full.text());
        seaworthy.log.event("bulkhead_full");
    }
    let answer = hanging.answer();
    assert_eq!((answer.status, &answer.json()["type"]), (504, &"urn:seaworthy:problem:upstream_timeout".into()));
}

#[test]
fn a_fallback_stands_in_while_the_breaker_is_open() {
    let flaky = Flaky::http();
    let keys = "failures = 1\nretries = 0\nfallback-body = '{\"rates\":[]}'";
    let seaworthy = calling(&flaky, keys).listening();
    flaky.answers(500);
    assert_eq!(call(&seaworthy, "GET", "/", "").status, 500);
    let answer = call(&seaworthy, "GET", "/", "");
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"rates\":[]}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn a_service_may_have_a_port_or_a_socket_of_its_own() {
    let flaky = Flaky::http();
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("mail.sock");
    let mail = format!("[egress.mail]\nurl = {:?}\nlisten = \"unix:{}\"", flaky.url(), socket.display());
    let seaworthy = calling(&flaky, "listen = \"127.0.0.1:0\"").config(&mail).listening();
    let (address, prefix) = place(&seaworthy, "pay");
    assert_eq!(prefix, "");
    assert_eq!(get(address, "/v1/charges").status, 200);
    let mut stream = UnixStream::connect(&socket).expect("it listens");
    stream.write_all(b"GET /send HTTP/1.1\r\nHost: mail\r\nConnection: close\r\n\r\n").expect("it takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let targets: Vec<_> = flaky.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/v1/charges", "/send"]);
}

#[test]
fn a_reload_adds_a_service_and_keeps_what_the_breakers_saw() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "failures = 1\nretries = 0\nopen = \"1h\"").listening();
    flaky.answers(500);
    call(&seaworthy, "GET", "/", "");
    assert_eq!(state(&seaworthy), "open");
    let control = format!("control = {:?}\negress-listen = \"127.0.0.1:0\"\n", seaworthy.control_path());
    let pay = format!("[egress.pay]\nurl = {:?}\nfailures = 1\nretries = 1\nopen = \"1h\"\n", flaky.url());
    let mail = format!("[egress.mail]\nurl = {:?}\n", flaky.url());
    seaworthy.configure(&format!("{control}{pay}{mail}"));
    seaworthy.signal(Signal::HUP);
    seaworthy.log.event("config_reloaded");
    assert_eq!(state(&seaworthy), "open", "the breaker is the same");
    let (address, _) = place(&seaworthy, "pay");
    flaky.answers(200);
    assert_eq!(get(address, "/mail/").status, 200);

    seaworthy.configure(&format!("{control}{pay}ca-file = \"/nowhere.pem\"\n"));
    seaworthy.signal(Signal::HUP);
    let refused = seaworthy.log.event("config_refused");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("/nowhere.pem")), "{refused}");
    assert_eq!(get(address, "/mail/").status, 200, "the old one stays whole");
}

/// A program that calls the service for each of its own requests, and once more when it has the answer.
const CALLER: &str = "
const http = require('http');
http.createServer((request, response) => {
  const failed = (error) => { response.statusCode = 599; response.end(String(error)); };
  http.get(process.env.EGRESS_PAY_URL + request.url, (first) => {
    first.resume().on('end', () => http.get(process.env.EGRESS_PAY_URL + '/after', (answer) => {
      response.statusCode = answer.statusCode;
      answer.pipe(response);
    }).on('error', failed));
  }).on('error', failed);
}).listen(process.env.PORT, '127.0.0.1');
";

#[test]
fn the_program_finds_its_services_and_reaches_them_while_it_drains() {
    let flaky = Flaky::http();
    let config = format!("egress-listen = \"127.0.0.1:0\"\n[egress.pay]\nurl = {:?}", flaky.url());
    let seaworthy = Seaworthy::run(["node", "-e", CALLER]).config(&config).ready();
    let mut client = seaworthy.client();
    client.request("GET", "/held", "");
    until("the call is there", || (!flaky.seen().is_empty()).then_some(()));
    seaworthy.signal(Signal::TERM);
    seaworthy.log.event("listeners_closed");
    flaky.release();
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "answered"));
    let targets: Vec<_> = flaky.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/held", "/after"], "the second call began in the middle of the drain");
    seaworthy.exit().with_code(0);
}

#[test]
fn a_call_that_nobody_can_wait_for_any_more_keeps_nobody_from_ending() {
    let flaky = Flaky::http();
    let seaworthy = calling(&flaky, "").listening();
    let (address, prefix) = place(&seaworthy, "pay");
    let mut client = Client::connect(address);
    client.request("GET", &format!("{prefix}/hang"), "");
    until("the call is there", || (!flaky.seen().is_empty()).then_some(()));
    let began = Instant::now();
    seaworthy.stop().with_code(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
