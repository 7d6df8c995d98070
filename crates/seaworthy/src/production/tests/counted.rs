//! What a service refuses, and what its metrics say of that.

use seaworthy_core::metric::Format;

use super::*;
use crate::limit::rate::{RateLimit, RateLimitLayer};
use crate::metrics::families::{AuthFailures, RateLimitHits};
use crate::metrics::{Counter, Metrics};

fn page(metrics: &Metrics) -> String {
    String::from_utf8(metrics.exposition(Format::Text)).unwrap()
}

fn value(metrics: &Metrics, sample: &str) -> Option<f64> {
    page(metrics).lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

/// Waits until the sample has this value: what is counted at the end of a request is counted after its answer.
async fn until(metrics: &Metrics, sample: &str, expected: f64) {
    for _ in 0..500 {
        if value(metrics, sample) == Some(expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{sample} is not {expected} in\n{}", page(metrics));
}

fn refused(reason: Reason) -> String {
    format!("http_requests_refused_total{{reason=\"{}\"}}", reason.name())
}

#[tokio::test]
async fn each_kind_of_refusal_is_counted_by_its_reason() {
    let metrics = Metrics::new("orders");
    let limits = ConnectionLimits {
        head_timeout: Duration::from_millis(200),
        body_grace: Duration::from_millis(200),
        ..ConnectionLimits::default()
    };
    let rate = RateLimit::new("1/h".parse().unwrap()).name("/limited");
    let rate = ["/", "/upload", "/slow", "/panic", "/secret"].into_iter().fold(rate, RateLimit::exempt);
    let service = service().metrics(metrics.clone()).connections(limits).body_limit(1000).rate_limit_with(rate);
    let mut running = run(service.timeout(Duration::from_millis(500))).await;

    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let post = |length: u32| format!("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\nhalf");
    for (sent, status, reason) in [
        ("GARBAGE\r\n\r\n".to_owned(), 400, Reason::BadRequest),
        (long, 431, Reason::HeadTooLarge),
        ("GET / HTTP/1.1\r\nho".to_owned(), 408, Reason::RequestTooSlow),
        (post(9999), 413, Reason::BodyTooLarge),
        (get("/slow"), 504, Reason::UpstreamTimeout),
        (get("/panic"), 500, Reason::Panicked),
        (get("/secret"), 401, Reason::Unauthenticated),
    ] {
        assert_eq!(value(&metrics, &refused(reason)), Some(0.0), "{reason:?}");
        let mut client = running.connect().await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let answer = answer(&mut client).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{reason:?}: {answer}");
        drop(client);
        until(&metrics, &refused(reason), 1.0).await;
    }
    // Once more, where a request has begun.
    let mut client = running.connect().await;
    client.write_all(post(9).as_bytes()).await.unwrap();
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 408"));
    drop(client);
    until(&metrics, &refused(Reason::RequestTooSlow), 2.0).await;
    for sample in [
        r#"seaworthy_client_errors_total{status="400"}"#,
        r#"seaworthy_client_errors_total{status="408"}"#,
        r#"seaworthy_client_errors_total{status="431"}"#,
        r#"auth_failures_total{reason="unauthenticated"}"#,
        "seaworthy_panics_total",
    ] {
        assert_eq!(value(&metrics, sample), Some(1.0), "{sample}");
    }

    let mut client = running.connect().await;
    ask(&mut client, "/limited").await;
    answer(&mut client).await;
    assert_eq!(value(&metrics, "rate_limit_keys"), Some(1.0));
    assert_eq!(value(&metrics, r#"rate_limit_hits_total{endpoint="/limited"}"#), Some(0.0));
    until(&metrics, r#"http_active_connections{protocol="http1"}"#, 1.0).await;
    client.write_all(get("/limited").as_bytes()).await.unwrap();
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 429"));
    until(&metrics, &refused(Reason::RateLimited), 1.0).await;
    assert_eq!(value(&metrics, r#"rate_limit_hits_total{endpoint="/limited"}"#), Some(1.0));

    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
    until(&metrics, r#"http_active_connections{protocol="http1"}"#, 0.0).await;
}

#[tokio::test]
async fn a_limit_on_connections_that_is_reached_is_counted_once() {
    let metrics = Metrics::new("orders");
    let limits = ConnectionLimits { connections: 1, ..ConnectionLimits::default() };
    let mut running = run(service().metrics(metrics.clone()).connections(limits)).await;
    let mut first = running.connect().await;
    ask(&mut first, "/").await;
    answer(&mut first).await;
    let mut waiting = running.connect().await;
    ask(&mut waiting, "/").await;
    until(&metrics, "connection_limit_hits_total", 1.0).await;
    drop(first);
    assert!(answer(&mut waiting).await.starts_with("HTTP/1.1 200"));
    assert_eq!(value(&metrics, "http_active_connections{protocol=\"http1\"}"), Some(1.0));
    drop(waiting);
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
}

#[test]
fn what_the_service_refuses_by_itself_stands_in_the_same_families() {
    let metrics = Metrics::new("orders");
    AuthFailures::register(&metrics).unwrap().with("bad_signature").inc();
    RateLimitHits::register(&metrics).unwrap().with("/webhooks").inc();
    metrics.watch_credentials().unwrap();
    metrics.watch_credentials().unwrap();
    let login = RateLimitLayer::new(RateLimit::new("5/min".parse().unwrap()).name("/login"));
    metrics.watch_rate_limit(&login).unwrap();
    metrics.watch_rate_limit(&login.clone()).unwrap();
    let page = page(&metrics);
    for (sample, times) in [
        ("\nauth_failures_total{reason=\"bad_signature\"} 1", 1),
        ("\nauth_failures_total{reason=\"forbidden\"} 0", 1),
        ("\nrate_limit_hits_total{endpoint=\"/webhooks\"} 1", 1),
        ("\nrate_limit_hits_total{endpoint=\"/login\"} 0", 1),
        ("\n# TYPE auth_failures_total", 1),
        ("\n# TYPE rate_limit_hits_total", 1),
        ("\n# TYPE rate_limit_keys", 1),
        ("app_", 0),
    ] {
        assert_eq!(page.matches(sample).count(), times, "{sample} in\n{page}");
    }
}

#[test]
fn a_family_of_another_kind_is_told_and_not_shown_under_the_name_of_ours() {
    let metrics = Metrics::new("orders");
    metrics.family::<Counter>(RateLimitHits::NAME, "Mine.", &["path"], ()).unwrap();
    let limit = RateLimitLayer::new(RateLimit::new("5/min".parse().unwrap()));
    assert!(metrics.watch_rate_limit(&limit).unwrap_err().to_string().contains(RateLimitHits::NAME));
    assert!(!page(&metrics).contains("rate_limit_keys"));
}

#[test]
fn a_limit_that_is_gone_leaves_its_count() {
    let metrics = Metrics::new("orders");
    let limit = RateLimitLayer::new(RateLimit::new("5/min".parse().unwrap()));
    metrics.watch_rate_limit(&limit).unwrap();
    drop(limit);
    assert_eq!(value(&metrics, r#"rate_limit_hits_total{endpoint="all"}"#), Some(0.0));
    assert_eq!(value(&metrics, "rate_limit_keys"), Some(0.0));
}
