//! Metrics of the program's own: by `StatsD` and by its own exposition, as a real Prometheus sees them.

use std::process::Command;

use rustix::process::Signal;

use crate::bed::{Prometheus, Seaworthy, get, program, promtool, until};

/// What a program in Python sends, through a client library that is not ours.
const CLIENT: &str = r#"
import statsd, sys
client = statsd.StatsClient("127.0.0.1", int(sys.argv[1]))
client.incr("user.signups", 3)
client.gauge("db_pool_size_active", 9)
client.gauge("db_pool_size_total", 12)
client.gauge("db_pool_size_total", -2, delta=True)
client.timing("db.query", 250)
client.set("visitors", "ann")
client.set("visitors", "bob")
with client.pipeline() as packed:
    packed.incr("mails")
    packed.incr("mails")
with client.timer("render"):
    pass
"#;

fn service(more: &str) -> Seaworthy {
    let config = format!("[statsd]\nlisten = 0\n[metrics]\nscrape = \"/metrics\"\n{more}");
    Seaworthy::run(["/usr/bin/python3", &program("metrics.py")]).config(&config).ready()
}

/// Where `StatsD` is received.
fn statsd(service: &Seaworthy) -> u16 {
    let said = |line: &serde_json::Value| line["message"].as_str().is_some_and(|text| text.starts_with("StatsD is"));
    let line = service.log.line("where StatsD is received", said);
    let port = line["message"].as_str().and_then(|text| text.rsplit_once(':')).map(|(_, port)| port.parse());
    port.expect("an address").expect("a port")
}

fn sent(service: &Seaworthy) {
    let port = statsd(service).to_string();
    let status = Command::new("/usr/bin/python3").args(["-c", CLIENT, &port]).status().expect("python runs");
    assert!(status.success(), "python3-statsd is there: `cargo xtask test` installs it");
}

#[test]
fn what_a_statsd_client_sends_and_what_the_program_shows_stand_beside_ours_and_pass_promtool() {
    let service = service("");
    sent(&service);
    until("all of it is there", || (service.metric("render_seconds_count") >= 1.0).then_some(()));
    for (sample, expected) in [
        ("user_signups_total", 3.0),
        ("db_pool_size_total", 10.0),
        ("db_query_seconds_sum", 0.25),
        ("visitors", 2.0),
        ("mails_total", 2.0),
        (r#"orders_total{kind="a \"quoted\" \\ one\n"}"#, 3.0),
        ("app_http_requests_total", 5.0),
        ("job_duration_seconds_count", 1.0),
        ("rpc_size_bytes_sum", 12.0),
    ] {
        let found = service.metric(sample);
        assert!((found - expected).abs() < 1e-9, "{sample} is {found}");
    }
    let page = get(service.ops, "/metrics").body;
    let said = promtool(&page).err().unwrap_or_default();
    // The judge's only objection is to a name that the program's own library gave.
    let others: Vec<_> = said.lines().filter(|line| !line.contains("_created")).collect();
    assert!(others.is_empty(), "{said}");
    service.stop().with_code(0);
}

#[test]
fn a_real_prometheus_answers_what_people_ask_of_pools_and_breakers() {
    let service = service("");
    sent(&service);
    let directory = tempfile::tempdir().expect("a directory");
    let prometheus = Prometheus::scraping(service.ops, directory.path());
    let near = |query: &str, expected: f64| {
        let value = prometheus.value(query);
        assert!((value - expected).abs() < 1e-9, "{query} is {value}");
    };
    near("(db_pool_size_active / db_pool_size_total) > 0.8", 0.9);
    near(r#"circuit_breaker_state{service="stripe"}"#, 2.0);
    near("app_http_requests_total", 5.0);
    near("up", 1.0);
}

#[test]
fn garbage_from_anybody_is_counted_and_a_program_without_metrics_hurts_nobody() {
    let service = Seaworthy::app().config("[statsd]\nlisten = 0\n[metrics]\nscrape = \"/none\"").ready();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    for packet in [&b"\xff\x00"[..], b"a:1", b"ok:1|c"] {
        socket.send_to(packet, ("127.0.0.1", statsd(&service))).expect("sent");
    }
    until("what is right is counted", || (service.metric("ok_total") >= 1.0).then_some(()));
    for sample in [
        r#"seaworthy_statsd_rejected_total{reason="encoding"}"#,
        r#"seaworthy_statsd_rejected_total{reason="shape"}"#,
        r#"seaworthy_app_scrapes_total{outcome="status"}"#,
    ] {
        assert!(service.metric(sample) >= 1.0, "{sample}");
    }
    let line = service.log.event("app_scrape_failed");
    assert!(line["message"].as_str().is_some_and(|text| text.contains("404")), "{line}");
}

#[test]
fn a_reload_begins_and_ends_the_fetching() {
    let service = Seaworthy::run(["/usr/bin/python3", &program("metrics.py")]).ready();
    let shown = |service: &Seaworthy| get(service.ops, "/metrics").text().contains("\norders_total{");
    assert!(!shown(&service));
    let reload = |config: &str| {
        service.configure(config);
        service.signal(Signal::HUP);
    };
    reload("[metrics]\nscrape = \"/metrics\"");
    until("they are shown", || shown(&service).then_some(()));
    reload("");
    until("they are gone", || (!shown(&service)).then_some(()));
}
