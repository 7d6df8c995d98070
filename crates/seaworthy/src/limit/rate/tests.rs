use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use seaworthy_core::event::Memory;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::context::RequestContext;

async fn respond(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

async fn ask(layer: &RateLimitLayer, client: &str, path: &str) -> (u16, HeaderMap) {
    ask_with(layer, client, path, &[]).await
}

async fn ask_with(
    layer: &RateLimitLayer,
    client: &str,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (u16, HeaderMap) {
    let mut request = Request::get(path).body(()).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    RequestContext::of_mut(request.extensions_mut()).client = Some(client.parse::<IpAddr>().unwrap());
    let mut service = layer.layer(service_fn(respond));
    let answer = service.ready().await.unwrap().call(request).await.unwrap();
    (answer.status().as_u16(), answer.headers().clone())
}

fn limit(rate: &str) -> RateLimit {
    RateLimit::new(rate.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_hundred_and_first_in_a_minute_is_refused_and_told_when_to_come_back() {
    let layer = RateLimitLayer::new(limit("100/min"));
    for left in (0..100).rev() {
        let (status, headers) = ask(&layer, "192.0.2.1", "/").await;
        assert_eq!(status, 200);
        assert_eq!(headers["x-ratelimit-limit"], "100");
        assert_eq!(headers["x-ratelimit-remaining"], left.to_string().as_str());
    }
    let (status, headers) = ask(&layer, "192.0.2.1", "/").await;
    assert_eq!(status, 429);
    let expected = [
        ("retry-after", "1"),
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "60"),
        ("ratelimit-policy", "\"default\";q=100;w=60"),
        ("ratelimit", "\"default\";r=0;t=1"),
        ("content-type", "application/problem+json"),
    ];
    for (name, value) in expected {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(layer.counts(), Some(Counts { refused: 1, overflowed: 0 }));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&layer, "192.0.2.1", "/").await.0, 200);
}

#[tokio::test]
async fn others_are_not_refused_because_of_one() {
    let layer = RateLimitLayer::new(limit("1/h"));
    for (client, status) in
        [("192.0.2.1", 200), ("192.0.2.1", 429), ("192.0.2.2", 200), ("2001:db8::1", 200), ("2001:db8::2", 429)]
    {
        assert_eq!(ask(&layer, client, "/").await.0, status, "{client}");
    }
}

#[tokio::test]
async fn probes_and_what_is_named_are_exempt() {
    let layer = RateLimitLayer::new(
        limit("1/h").exempt("/internal/*").exempt("/favicon.ico").exempt_network("10.0.0.0/8".parse().unwrap()),
    );
    ask(&layer, "192.0.2.1", "/").await;
    for path in ["/livez", "/health/ready", "/metrics", "/internal/jobs", "/favicon.ico"] {
        let (status, headers) = ask(&layer, "192.0.2.1", path).await;
        assert_eq!((status, headers.contains_key("x-ratelimit-limit")), (200, false), "{path}");
    }
    for path in ["/", "/healthy", "/internal", "/metrics/x"] {
        assert_eq!(ask(&layer, "192.0.2.1", path).await.0, 429, "{path}");
    }
    for _ in 0..3 {
        assert_eq!(ask(&layer, "10.1.2.3", "/").await.0, 200);
    }
}

#[tokio::test]
async fn a_key_in_a_header_goes_before_the_address() {
    let layer = RateLimitLayer::new(limit("1/h").by_header("x-api-key".parse().unwrap()));
    let key = |key: &'static str| [("x-api-key", key)];
    assert_eq!(ask_with(&layer, "192.0.2.1", "/", &key("a")).await.0, 200);
    assert_eq!(ask_with(&layer, "192.0.2.1", "/", &key("b")).await.0, 200);
    assert_eq!(ask_with(&layer, "192.0.2.2", "/", &key("a")).await.0, 429);
    assert_eq!(ask(&layer, "192.0.2.1", "/").await.0, 200);
    assert_eq!(ask(&layer, "192.0.2.1", "/").await.0, 429);
}

#[tokio::test]
async fn whoever_has_no_address_shares_with_all_that_have_none() {
    let layer = RateLimitLayer::new(limit("1/h"));
    let mut service = layer.layer(service_fn(respond));
    let mut status = async || service.ready().await.unwrap().call(Request::new(())).await.unwrap().status().as_u16();
    assert_eq!((status().await, status().await), (200, 429));
}

#[tokio::test]
async fn a_dry_run_counts_and_refuses_nobody() {
    let layer = RateLimitLayer::new(limit("1/h").dry_run(true));
    for _ in 0..3 {
        assert_eq!(ask(&layer, "192.0.2.1", "/").await.0, 200);
    }
    assert_eq!(layer.counts().map(|counts| counts.refused), Some(2));
}

#[tokio::test]
async fn a_layer_without_a_limit_changes_nothing() {
    let layer = RateLimitLayer::default();
    let (status, headers) = ask(&layer, "192.0.2.1", "/").await;
    assert_eq!((status, headers.len()), (200, 0));
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_pointed_out_once() {
    let memory = Arc::new(Memory::default());
    let layer = RateLimitLayer::reporting(limit("1/h"), memory.clone());
    for _ in 0..4 {
        ask_with(&layer, "10.0.0.1", "/", &[("x-forwarded-for", "192.0.2.7")]).await;
    }
    let said = memory.said();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("10.0.0.1") && said[0].contains("trusted proxies"), "{said:?}");
}
