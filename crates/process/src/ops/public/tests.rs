use std::time::Instant;

use http_body_util::Empty;
use seaworthy::core::event::Nowhere;
use seaworthy::core::health::{Affects, Check, Class, Snapshot, Status};
use seaworthy::core::lifecycle::Change;
use seaworthy::health::Health;
use seaworthy::lifecycle::Lifecycle;

use super::*;
use crate::config::{self, Kind as _, Sources};

const STRANGER: &str = "203.0.113.9";

fn door(change: impl FnOnce(&mut Config)) -> Door {
    let mut config = config::load(&Sources::default()).unwrap().config;
    change(&mut config);
    let lifecycle = Lifecycle::new(std::sync::Arc::new(Nowhere));
    lifecycle.apply(Change::ProgramReady);
    let health = Health::default();
    let check = Check {
        name: "database".to_owned(),
        kind: "postgres",
        status: Status::Unhealthy,
        affects: Affects::Ready,
        group: None,
        class: Some(Class::Refused),
        error: Some("10.0.0.7:5432: connection refused".to_owned()),
        latency: None,
        since: None,
        last_checked: None,
        consecutive_failures: 1,
        gates_start: false,
        passed_once: false,
        ..Check::default()
    };
    health.publish(Snapshot { checks: vec![check], ..Snapshot::default() });
    let vitals = Vitals::new(lifecycle, health, Instant::now(), std::sync::Arc::new(Nowhere), || true);
    Door::new(&config, vitals, Scrape::new(|_| b"up 1\n".to_vec()), Heartbeats::default())
}

fn ask(door: &Door, method: &str, path: &str, from: &str) -> Option<Response<Full<Bytes>>> {
    let request = Request::builder().method(method).uri(path).header("x-forwarded-for", "192.0.2.7");
    door.answer(&request.body(Empty::<Bytes>::new()).unwrap(), Some(from.parse().unwrap()))
}

fn status(door: &Door, path: &str, from: &str) -> Option<u16> {
    ask(door, "GET", path, from).map(|answer| answer.status().as_u16())
}

fn networks(network: &str) -> Vec<Cidr> {
    vec![Cidr::read(&network.into()).unwrap()]
}

#[test]
fn everything_is_the_programs_unless_the_config_says_otherwise() {
    let door = door(|_| {});
    for path in ["/", "/health", "/livez", "/metrics"] {
        assert_eq!(status(&door, path, STRANGER), None, "{path}");
    }
}

#[test]
fn all_probes_or_those_that_are_named_are_ours() {
    let all = door(|config| config.probes.public = PublicProbes::All);
    assert_eq!(status(&all, "/livez", STRANGER), Some(200));
    assert_eq!(status(&all, "/health/check/database", STRANGER), Some(503));
    assert_eq!(status(&all, "/orders", STRANGER), None);
    let one = door(|config| config.probes.public = PublicProbes::Paths(vec!["/health/ready".to_owned()]));
    assert_eq!(status(&one, "/health/ready", STRANGER), Some(503));
    assert_eq!(status(&one, "/livez", STRANGER), None);
}

#[test]
fn where_a_path_is_ours_it_is_for_every_method() {
    let door = door(|config| config.probes.public = PublicProbes::All);
    let refused = ask(&door, "DELETE", "/health", STRANGER).unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    assert_eq!(ask(&door, "HEAD", "/livez", STRANGER).unwrap().status(), 200);
}

#[test]
fn no_text_of_an_error_reaches_the_public_not_even_over_loopback() {
    let door = door(|config| config.probes.public = PublicProbes::All);
    let answer = ask(&door, "GET", "/readyz?verbose", "127.0.0.1").unwrap();
    let body = format!("{:?}", answer.into_body());
    assert!(body.contains("refused") && !body.contains("10.0.0.7"), "{body}");
}

#[test]
fn whoever_brings_the_token_sees_what_is_shown_on_this_machine() {
    let token = "0123456789abcdef";
    let door = door(|config| {
        config.probes.public = PublicProbes::All;
        config.probes.token = Some(config::Secret::new(token.to_owned()));
    });
    let body = |authorization: &str| {
        let request = Request::get("/readyz").header("authorization", authorization);
        let answer = door.answer(&request.body(Empty::<Bytes>::new()).unwrap(), Some(STRANGER.parse().unwrap()));
        format!("{:?}", answer.unwrap().into_body())
    };
    assert!(body(&format!("Bearer {token}")).contains("10.0.0.7"));
    assert!(!body("Bearer 0123456789abcdee").contains("10.0.0.7"));
}

#[test]
fn only_the_allowed_networks_scrape_and_to_others_the_path_is_the_programs() {
    let door = door(|config| config.metrics.allow = networks("203.0.113.0/24"));
    assert_eq!(status(&door, "/metrics", STRANGER), Some(200));
    assert_eq!(status(&door, "/metrics", "192.0.2.7"), None);
}

#[test]
fn whom_a_trusted_proxy_speaks_for_is_who_counts() {
    let behind_proxy = door(|config| {
        config.metrics.allow = networks("192.0.2.7/32");
        config.trusted_proxies = networks("10.0.0.0/8");
    });
    assert_eq!(status(&behind_proxy, "/metrics", "10.0.0.1"), Some(200));
    assert_eq!(status(&behind_proxy, "/metrics", STRANGER), None, "its header counts for nothing");
}
