use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Request};
use http_body_util::BodyExt;
use seaworthy_core::lifecycle::Change;
use serde_json::Value;

use super::*;
use crate::context::RequestContext;
use crate::health::{Affects, Class, Health};
use crate::lifecycle::Lifecycle;
use crate::testing::FakeCheck;

/// A service that is ready, with a database that holds and a search that does not.
async fn endpoints() -> (Endpoints, Lifecycle) {
    let search = FakeCheck::default();
    search.fail(Class::Refused);
    let health = Health::builder()
        .dependency("database", FakeCheck::default().dependency(Affects::Ready).group("storage"))
        .dependency("search", search.dependency(Affects::Health).thresholds(1, 1))
        .build();
    health.start(Arc::new(seaworthy_core::event::Nowhere));
    let mut follow = health.follow();
    let ran = |check: &crate::health::Check| check.last_checked.is_some();
    follow.wait_for(|snapshot| snapshot.checks.iter().all(ran)).await.unwrap();
    let life = Lifecycle::default();
    life.apply(Change::ProgramReady);
    (Endpoints::new("orders", health, life.clone()), life)
}

async fn get(endpoints: &Endpoints, from: &str, target: &str) -> (u16, String) {
    let mut request = Request::get(target).body(()).unwrap();
    RequestContext::of_mut(request.extensions_mut()).peer = Some(from.parse::<SocketAddr>().unwrap());
    let answer = endpoints.answer(&request);
    assert_eq!(answer.headers()["cache-control"], "no-store", "{target}");
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

const HERE: &str = "127.0.0.1:1";
const NEIGHBOUR: &str = "10.0.0.5:1";

#[tokio::test(start_paused = true)]
async fn each_verdict_has_its_word() {
    let (endpoints, life) = endpoints().await;
    let said = async |path| {
        let (status, body) = get(&endpoints, HERE, path).await;
        (status, serde_json::from_str::<Value>(&body).unwrap()["status"].as_str().unwrap().to_owned())
    };
    for (path, word) in [("/startupz", "started"), ("/livez", "alive"), ("/readyz", "ready"), ("/health", "degraded")] {
        assert_eq!(said(path).await, (200, word.to_owned()), "{path}");
    }
    life.apply(Change::StopAsked);
    let draining = [
        ("/startupz", 200, "started"),
        ("/livez", 200, "alive"),
        ("/readyz", 503, "not_ready"),
        ("/health", 503, "unhealthy"),
    ];
    for (path, status, word) in draining {
        assert_eq!(said(path).await, (status, word.to_owned()), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn texts_of_errors_are_for_this_machine() {
    let (endpoints, _) = endpoints().await;
    let (_, here) = get(&endpoints, HERE, "/health").await;
    assert!(here.contains("told to fail") && here.contains("refused"), "{here}");
    let (_, there) = get(&endpoints, NEIGHBOUR, "/health").await;
    assert!(!there.contains("told to fail") && there.contains("refused"), "{there}");
}

#[tokio::test(start_paused = true)]
async fn liveness_names_no_check_however_it_is_asked() {
    let (endpoints, _) = endpoints().await;
    for target in ["/livez", "/livez?verbose", "/health/live?deep=true"] {
        let (_, body) = get(&endpoints, HERE, target).await;
        assert!(body.contains(r#""checks":{}"#), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_shape_of_kubernetes_is_a_line_a_check() {
    let (endpoints, _) = endpoints().await;
    assert_eq!(get(&endpoints, HERE, "/readyz?format=kubernetes").await, (200, "ok".to_owned()));
    let (_, lines) = get(&endpoints, NEIGHBOUR, "/healthz?format=kubernetes&verbose").await;
    assert_eq!(lines, "[+]lifecycle ok\n[+]database ok\n[-]search failed: refused\nhealth check passed\n");
    assert_eq!(get(&endpoints, HERE, "/readyz?format=xml").await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn one_check_a_group_and_the_dependencies_can_be_asked_for() {
    let (endpoints, _) = endpoints().await;
    assert_eq!(get(&endpoints, HERE, "/health/check/search").await.0, 503);
    assert_eq!(get(&endpoints, HERE, "/health/group/storage").await.0, 200);
    let (status, unknown) = get(&endpoints, HERE, "/health/check/%3Cscript%3E").await;
    assert!(status == 404 && !unknown.contains("script"), "{unknown}");
    let expected = "{\"satisfied\":false,\"missing\":[\"search\"],\"details\":{\"database\":true,\"search\":false}}\n";
    assert_eq!(get(&endpoints, HERE, "/health/dependencies").await, (503, expected.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_does_not_count() {
    let (endpoints, _) = endpoints().await;
    let (_, body) = get(&endpoints, HERE, "/health?exclude=search").await;
    assert!(body.starts_with(r#"{"status":"healthy""#), "{body}");
}

#[tokio::test(start_paused = true)]
async fn head_has_the_length_of_the_body_and_other_methods_are_told_what_is_allowed() {
    let (endpoints, _) = endpoints().await;
    let ask = |method: Method| endpoints.answer(&Request::builder().method(method).uri("/livez").body(()).unwrap());
    let head = ask(Method::HEAD);
    assert_ne!(head.headers()["content-length"], "0");
    assert_eq!(head.into_body().collect().await.unwrap().to_bytes(), "");
    let post = ask(Method::POST);
    assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn metrics_are_there_where_somebody_writes_them() {
    let (endpoints, _) = endpoints().await;
    assert_eq!(get(&endpoints, HERE, "/metrics").await.0, 404);
    let endpoints = endpoints.scrape(Scrape::new(|_| ("text/plain", "up 1\n".into())));
    assert_eq!(get(&endpoints, HERE, "/metrics").await, (200, "up 1\n".to_owned()));
}
