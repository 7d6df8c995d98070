mod prometheus;

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use seaworthy::core::event::{Outcome, RequestFinished};
use seaworthy::core::health::{Check, Class, Measure, Snapshot, Status};
use seaworthy::core::lifecycle::State;
use seaworthy::core::refusal::Reason;
use seaworthy::core::trace::TraceId;
use seaworthy_gateway::metrics::{Counted, Open};

use super::*;
use crate::config::{Level, Log, LogFormat, OnFull};
use crate::log::LogSetup;

fn logger() -> Logger {
    let log = Log {
        level: Level::Info,
        format: LogFormat::Json,
        access: true,
        query: false,
        on_full: OnFull::Drop,
        redact: Vec::new(),
    };
    let output = File::options().write(true).open("/dev/null").expect("/dev/null");
    Logger::start(LogSetup { service: "shop".to_owned(), version: None, log, colour: false, output }).expect("a thread")
}

/// Two checks, with measures.
fn health() -> Health {
    let database = Check {
        name: "main db".to_owned(),
        kind: "postgres",
        status: Status::Healthy,
        latency: Some(Duration::from_millis(2)),
        measures: vec![
            Measure::new("health_db_connections", 3.0).with("state", "active"),
            Measure::new("health_db_connections", 4.0).with("state", "idle"),
            Measure::new("health_db_connections_max", 100.0),
        ],
        labels: vec![("team".to_owned(), "payments".to_owned())],
        ..Check::default()
    };
    let mut cache = Check { name: "cache".to_owned(), kind: "redis", status: Status::Unhealthy, ..Check::default() };
    (0..7).for_each(|_| cache.failures.count(Class::Refused));
    let health = Health::default();
    health.publish(Snapshot { checks: vec![database, cache], ..Snapshot::default() });
    health
}

#[test]
fn checks_are_shown_with_what_they_measure() {
    let page = String::from_utf8(metrics(10).exposition(Format::Text)).unwrap();
    for line in [
        "# TYPE health_services_total untyped",
        "health_services_total 2",
        "health_services_healthy 1",
        "health_services_unhealthy 1",
        r#"health_check_status{name="main db"} 1"#,
        r#"health_check_status{name="cache"} 0"#,
        r#"health_check_duration_seconds{name="main db"} 0.002"#,
        r#"health_check_failures_total{name="cache",class="refused"} 7"#,
        r#"health_check_info{name="main db",kind="postgres",affects="health",group="",team="payments"} 1"#,
        r#"health_db_connections{name="main db",state="idle"} 4"#,
        r#"health_db_connections_max{name="main db"} 100"#,
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
    }
}

/// With room for so many label sets.
fn metrics(label_sets: usize) -> Arc<Metrics> {
    Metrics::new(MetricsSetup {
        service: "shop \"2\"".to_owned(),
        version: Some("1.2.3".to_owned()),
        max_series: label_sets * SERIES,
        log: logger(),
        app: Box::new(|| vec![std::process::id()]),
        health: health(),
        egress: Board::default(),
        started: Instant::now(),
    })
}

fn request(route: Option<&str>) -> RequestFinished<'_> {
    RequestFinished {
        request_id: "id",
        path: "/orders/7",
        route,
        bytes_in: 3,
        bytes_out: 100,
        ended: SystemTime::now(),
        duration: Duration::from_millis(20),
        first_byte: Duration::from_millis(10),
        ..RequestFinished::default()
    }
}

fn page(metrics: &Metrics, format: Format) -> String {
    String::from_utf8(metrics.exposition(format)).expect("UTF-8")
}

/// The value of the one sample that begins so.
fn value<'p>(page: &'p str, sample: &str) -> &'p str {
    let found: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')).collect();
    assert_eq!(found.len(), 1, "{sample} stands {} times in\n{page}", found.len());
    found[0]
}

fn text(metrics: &Metrics, sample: &str) -> String {
    value(&page(metrics, Format::Text), sample).to_owned()
}

/// Something of everything.
fn lived(metrics: &Arc<Metrics>) -> Vec<(Shard, Counted)> {
    let upstream: Arc<str> = "127.0.0.1:3000".into();
    let trace_id = TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e4736");
    (0..2)
        .map(|_| {
            let worker = metrics.worker(Arc::default());
            for route in [Some("/orders/{id}"), None, Some("a \"quoted\" \\route\n")] {
                worker.started();
                worker.finished(&RequestFinished { trace_id, ..request(route) });
            }
            worker.started();
            worker.finished(&RequestFinished {
                method: "BREW",
                status: 503,
                refusal: Some(Reason::Overloaded),
                ..request(None)
            });
            worker.upstream_ended(&upstream, "answered", Some(Duration::from_millis(3)));
            worker.upstream_ended(&upstream, "unreachable", None);
            worker.client_error(400);
            worker.client_error(599);
            let counted = Counted::new(worker.cells(), Open::Http2);
            (worker, counted)
        })
        .collect()
}

/// Runs promtool, which ships with Prometheus.
pub(crate) fn promtool(page: &str) -> (bool, String) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs; it comes with `apt install prometheus` or from https://prometheus.io/download");
    promtool.stdin.take().expect("piped").write_all(page.as_bytes()).expect("promtool reads");
    let output = promtool.wait_with_output().expect("promtool ends");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn promtool_has_nothing_to_object_to() {
    let metrics = metrics(100);
    let _workers = lived(&metrics);
    let page = page(&metrics, Format::Text);
    let (content, said) = promtool(&page);
    assert!(content && said.trim().is_empty(), "{said}\n{page}");
    let (content, said) = promtool("a_total 1\na_total 1\n");
    assert!(!content, "promtool objects to nothing at all: {said}");
}

#[test]
fn workers_are_added_up_and_requests_agree_with_their_durations() {
    let metrics = metrics(100);
    let workers = lived(&metrics);
    let page = page(&metrics, Format::Text);
    let labels = r#"{method="GET",route="/orders/{id}",status="200"}"#;
    assert_eq!(value(&page, &format!("http_requests_total{labels}")), "2");
    assert_eq!(value(&page, &format!("http_request_duration_seconds_count{labels}")), "2");
    assert_eq!(value(&page, &format!("http_request_duration_seconds_sum{labels}")), "0.04");
    let bucket = |le| {
        value(&page, &format!("http_request_duration_seconds_bucket{},le=\"{le}\"}}", &labels[..labels.len() - 1]))
    };
    assert_eq!(["0.01", "0.025", "10", "+Inf"].map(bucket), ["0", "2", "2", "2"]);
    for (sample, expected) in [
        (r#"http_requests_total{method="other",route="unmatched",status="503"}"#, "2"),
        (r#"http_requests_refused_total{reason="overloaded"}"#, "2"),
        ("http_request_bytes_total", "24"),
        ("http_response_bytes_total", "800"),
        ("http_active_requests", "0"),
        (r#"http_active_connections{protocol="http2"}"#, "2"),
        (r#"upstream_requests_total{upstream="127.0.0.1:3000",outcome="answered"}"#, "2"),
        (r#"upstream_requests_total{upstream="127.0.0.1:3000",outcome="unreachable"}"#, "2"),
        (r#"upstream_duration_seconds_count{upstream="127.0.0.1:3000"}"#, "2"),
        (r#"seaworthy_client_errors_total{status="400"}"#, "2"),
        (r#"seaworthy_client_errors_total{status="other"}"#, "2"),
        (r#"build_info{version="0.1.0",service="shop \"2\"",service_version="1.2.3"}"#, "1"),
        ("app_processes", "1"),
        ("log_lines_dropped_total", "0"),
    ] {
        assert_eq!(value(&page, sample), expected, "{sample}");
    }
    drop(workers);
    assert_eq!(text(&metrics, r#"http_active_connections{protocol="http2"}"#), "0");
    assert_eq!(text(&metrics, "http_request_bytes_total"), "24", "a worker that is gone still counts");
}

#[test]
fn openmetrics_has_an_exemplar_for_requests_with_a_trace() {
    let metrics = metrics(100);
    let _workers = lived(&metrics);
    let page = page(&metrics, Format::OpenMetrics);
    assert!(page.ends_with("# EOF\n"));
    let exemplars: Vec<&str> = page.lines().filter(|line| line.contains(" # {")).collect();
    assert_eq!(exemplars.len(), 3, "{exemplars:?}");
    for line in exemplars {
        assert!(line.contains(r#"le="0.025"} 2 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.02 "#), "{line}");
    }
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        assert!(!line.ends_with("_total counter"), "{line}");
    }
}

#[test]
fn beyond_the_limit_a_request_is_counted_without_its_route() {
    let metrics = metrics(3);
    let (first, second) = (metrics.worker(Arc::default()), metrics.worker(Arc::default()));
    let routes = ["/a", "/b", "/c", "/d", "/e", "/a"];
    for worker in [&first, &second] {
        for route in routes {
            worker.started();
            worker.finished(&request(Some(route)));
        }
    }
    first.finished(&RequestFinished { status: 404, ..request(Some("/a")) });
    let page = page(&metrics, Format::Text);
    let requests = |route, status| {
        value(&page, &format!(r#"http_requests_total{{method="GET",route="{route}",status="{status}"}}"#))
    };
    assert_eq!(["/a", "/b", "/c", "other"].map(|route| requests(route, 200)), ["4", "2", "2", "4"]);
    assert_eq!(requests("other", 404), "1");
    assert_eq!(page.lines().filter(|line| line.starts_with("http_requests_total{")).count(), 5);
    assert_eq!(value(&page, r#"seaworthy_series_dropped_total{family="http_requests"}"#), "5");
}

#[test]
fn facts_are_counted_where_their_line_is_written() {
    let metrics = metrics(3);
    let took = Duration::from_secs(2);
    for event in [
        Event::StateChanged { from: State::Starting, to: State::Ready },
        Event::AppReady { pid: 1, took },
        Event::ConfigRefused { reason: "no".to_owned() },
        Event::StopEnded { outcome: Outcome::Forced, took, requests_cut: 3 },
    ] {
        metrics.emit(&event);
    }
    for (sample, expected) in [
        (r#"seaworthy_lifecycle_state{state="ready"}"#, "1"),
        (r#"seaworthy_lifecycle_state{state="starting"}"#, "0"),
        ("app_up", "1"),
        ("seaworthy_config_reload_failures_total", "1"),
        (r#"graceful_shutdowns_total{outcome="forced"}"#, "1"),
        ("drain_duration_seconds", "2"),
        ("seaworthy_requests_cut_total", "3"),
    ] {
        assert_eq!(text(&metrics, sample), expected, "{sample}");
    }
}
