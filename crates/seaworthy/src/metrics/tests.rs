use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use seaworthy_core::event::RequestFinished;
use seaworthy_core::health::{Check, Snapshot, Status};
use seaworthy_core::lifecycle::State;
use seaworthy_core::trace::TraceId;

use super::families::{QueueSize, Revenue, UserSignups};
use super::*;
use crate::access::Observer;

gauge! {
    /// Size of a pool.
    struct PoolSize("db_pool_size_total") { pool: &str }
}

histogram! {
    /// How long jobs took, in seconds.
    struct JobDuration("job_duration_seconds") [0.1, 1.0] { queue: &str }
}

fn request(route: Option<&str>) -> RequestFinished<'_> {
    RequestFinished {
        request_id: "id",
        trace_id: TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e4736"),
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
    String::from_utf8(metrics.exposition(format)).unwrap()
}

/// The value of the one sample that begins so.
fn value(metrics: &Metrics, sample: &str) -> String {
    let page = page(metrics, Format::Text);
    let found: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')).collect();
    assert_eq!(found.len(), 1, "{sample} stands {} times in\n{page}", found.len());
    found[0].to_owned()
}

#[test]
fn each_kind_is_written_as_what_it_is() {
    let metrics = Metrics::new("shop");
    let revenue = Revenue::register(&metrics).unwrap().with("EUR", "hosting");
    revenue.add(3);
    revenue.add_amount(0.5);
    for ignored in [-1.0, f64::NAN, f64::INFINITY] {
        revenue.add_amount(ignored);
    }
    PoolSize::register(&metrics).unwrap().with("main").set(20.0);
    let jobs = JobDuration::register(&metrics).unwrap().with("mail");
    for value in [0.1, 0.5, 7.0, f64::NAN] {
        jobs.observe(value);
    }
    assert_eq!(value(&metrics, r#"revenue_total{currency="EUR",product_type="hosting"}"#), "3.5");
    assert_eq!(value(&metrics, r#"db_pool_size_total{pool="main"}"#), "20");
    assert_eq!(value(&metrics, "# TYPE db_pool_size_total"), "untyped");
    assert_eq!(value(&metrics, "# HELP job_duration_seconds"), "How long jobs took, in seconds.");
    let bucket = |le: &str| value(&metrics, &format!(r#"job_duration_seconds_bucket{{queue="mail",le="{le}"}}"#));
    assert_eq!(["0.1", "1", "+Inf"].map(bucket), ["1", "2", "3"]);
    assert_eq!(value(&metrics, r#"job_duration_seconds_sum{queue="mail"}"#), "7.6");
}

#[test]
fn a_family_that_is_registered_again_is_the_same_and_another_of_its_name_is_refused() {
    let metrics = Metrics::new("shop");
    UserSignups::register(&metrics).unwrap().with("pro").inc();
    UserSignups::register(&metrics).unwrap().with("pro").inc();
    assert_eq!(value(&metrics, r#"user_signups_total{plan_type="pro"}"#), "2");
    let taken = Err(FamilyError::Taken(UserSignups::NAME.to_owned()));
    assert_eq!(metrics.family::<Counter>(UserSignups::NAME, "", &["plan"], ()).map(|_| ()), taken);
    assert_eq!(metrics.family::<Gauge>(UserSignups::NAME, "", &["plan_type"], ()).map(|_| ()), taken);
    JobDuration::register(&metrics).unwrap();
    assert!(metrics.family::<Histogram>(JobDuration::NAME, "", &["queue"], Buckets::default()).is_err());
}

#[test]
fn a_name_that_breaks_the_rules_is_refused_and_quoted() {
    let metrics = Metrics::new("shop");
    let counter =
        |name: &str, labels: &[&str]| metrics.family::<Counter>(name, "", labels, ()).unwrap_err().to_string();
    assert!(counter("no-name", &[]).contains(r#""no-name""#));
    assert!(counter("jobs", &[]).contains("something_total"));
    for labels in [["a", "a"], ["a", "__b"], ["a", "b-c"]] {
        assert!(counter("jobs_total", &labels).contains(labels[1]));
    }
    assert!(metrics.family::<Histogram>("a_seconds", "", &["le"], Buckets::default()).is_err());
    for bounds in [&[][..], &[1.0, 1.0], &[2.0, 1.0], &[f64::INFINITY]] {
        assert!(Buckets::new(bounds).is_err(), "{bounds:?}");
    }
}

#[test]
fn beyond_its_limit_a_family_keeps_its_sum_and_stores_nothing() {
    let metrics = Metrics::builder("shop").max_series(3).build();
    let signups = UserSignups::register(&metrics).unwrap();
    for number in 0..100 {
        signups.with(&number.to_string()).inc();
    }
    let page = page(&metrics, Format::Text);
    let series: Vec<&str> = page.lines().filter(|line| line.starts_with("user_signups_total{")).collect();
    assert_eq!(series.len(), 4, "{series:?}");
    assert_eq!(value(&metrics, r#"user_signups_total{plan_type="other"}"#), "97");
    assert_eq!(value(&metrics, r#"seaworthy_series_dropped_total{family="user_signups_total"}"#), "97");
    // The sum of gauges of strangers would mean nothing.
    let queues = QueueSize::register(&metrics).unwrap();
    for number in 0..5 {
        queues.with("mail", &number.to_string()).set(1.0);
    }
    assert_eq!(self::page(&metrics, Format::Text).matches("\nqueue_size{").count(), 3);
}

#[test]
fn values_that_look_alike_when_joined_are_different_series() {
    let metrics = Metrics::new("shop");
    let revenue = Revenue::register(&metrics).unwrap();
    for (currency, product) in [("a", "1:b"), ("a1:", "b"), ("", "a1:b"), ("1:a", "b")] {
        revenue.with(currency, product).inc();
    }
    assert_eq!(page(&metrics, Format::Text).matches("\nrevenue_total{").count(), 4);
}

#[test]
fn a_family_with_the_name_of_one_of_ours_gives_way() {
    let metrics = Metrics::new("shop");
    metrics.family::<Counter>("http_requests_total", "Mine.", &[], ()).unwrap().with(&[]).inc();
    assert_eq!(value(&metrics, "app_http_requests_total"), "1");
    assert_eq!(value(&metrics, "# TYPE http_requests_total"), "counter");
}

#[test]
fn requests_of_all_threads_are_added_up_and_none_is_lost_with_its_thread() {
    let metrics = Metrics::new("shop");
    let observer = metrics.observer();
    let together = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                together.wait();
                for _ in 0..1000 {
                    observer.started();
                    observer.finished(&request(Some("/orders/{id}")));
                }
            });
        }
    });
    // One that begins here and ends elsewhere.
    observer.started();
    assert_eq!(metrics.requests().active(), 1);
    std::thread::spawn(move || observer.finished(&request(None))).join().unwrap();
    let labels = r#"{method="GET",route="/orders/{id}",status="200"}"#;
    assert_eq!(value(&metrics, &format!("http_requests_total{labels}")), "4000");
    assert_eq!(value(&metrics, &format!("http_request_duration_seconds_count{labels}")), "4000");
    assert_eq!(value(&metrics, "http_active_requests"), "0");
    assert_eq!(value(&metrics, "http_request_bytes_total"), "12003");
    assert!(page(&metrics, Format::OpenMetrics).contains("# {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.02 "));
}

#[test]
fn threads_that_come_and_go_take_over_from_each_other() {
    let metrics = Metrics::new("shop");
    for _ in 0..20 {
        let observer = metrics.observer();
        std::thread::spawn(move || {
            observer.started();
            observer.finished(&request(Some("/")));
        })
        .join()
        .unwrap();
    }
    assert_eq!(value(&metrics, r#"http_requests_total{method="GET",route="/",status="200"}"#), "20");
    assert_eq!(metrics.requests().shards(), 1);
}

#[test]
fn an_observer_outlives_its_metrics_without_harm() {
    let observer = Metrics::new("gone").observer();
    observer.started();
    observer.finished(&request(None));
}

#[test]
fn what_is_held_is_counted_until_it_is_dropped() {
    let metrics = Metrics::new("shop");
    let active = PoolSize::register(&metrics).unwrap().with("main");
    let held = active.hold();
    assert_eq!(value(&metrics, r#"db_pool_size_total{pool="main"}"#), "1");
    drop(held);
    assert_eq!(value(&metrics, r#"db_pool_size_total{pool="main"}"#), "0");
}

#[test]
fn facts_and_health_are_shown() {
    let metrics = Metrics::builder("shop").version("1.2").build();
    let health = Health::default();
    let check = Check { name: "db".to_owned(), kind: "postgres", status: Status::Healthy, ..Check::default() };
    health.publish(Snapshot { checks: vec![check], ..Snapshot::default() });
    metrics.watch_health(health);
    metrics.emit(&Event::StateChanged { from: State::Starting, to: State::Ready });
    for (sample, expected) in [
        (r#"seaworthy_lifecycle_state{state="ready"}"#, "1"),
        (r#"health_check_status{name="db"}"#, "1"),
        ("health_services_total", "1"),
    ] {
        assert_eq!(value(&metrics, sample), expected, "{sample}");
    }
    let build = page(&metrics, Format::Text);
    assert!(build.contains(r#"service="shop",service_version="1.2"} 1"#), "{build}");
}
