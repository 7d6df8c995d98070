//! One name for one thing: a service in Rust and a program behind the binary show the same families.

use std::collections::BTreeSet;

use seaworthy::core::lifecycle::{Cause, State};
use seaworthy::core::metric::Format;
use seaworthy::log::Logger;
use seaworthy::metrics::Metrics;
use seaworthy::{Lifecycle, Production};

use crate::bed::{Seaworthy, get, promtool};

/// What a service has none of: something that stands behind, a program that is started, workers, a configuration that is read anew.
const BINARY_ONLY: [&str; 5] =
    ["upstream_", "app_", "seaworthy_config_", "seaworthy_idle_races_total", "seaworthy_workers_lost_total"];

/// What the binary refuses nobody by.
const LIBRARY_ONLY: [&str; 4] =
    ["auth_failures_total", "rate_limit_hits_total", "rate_limit_keys", "seaworthy_rate_limit_overflows_total"];

/// Names, each with its kind.
fn families(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect()
}

/// The page of a service that serves.
async fn page_of_a_service() -> Result<String, Box<dyn std::error::Error>> {
    let metrics = Metrics::builder("orders").version("1.0.0").build();
    let life = Lifecycle::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let production = Production::builder("orders", "1.0.0")
        .log(Logger::builder("orders").output(tempfile::tempfile()?).start()?)
        .metrics(metrics.clone())
        .rate_limit("100/min".parse()?)
        .build()?;
    let served = tokio::spawn(production.serve(axum::Router::new(), listener, life.clone()));
    life.reached(|state| *state >= State::Ready).await;
    let page = String::from_utf8(metrics.exposition(Format::Text))?;
    life.force(Cause::Command);
    // Forced ends are errors; what was asked for is on the page.
    let _ = served.await?;
    Ok(page)
}

#[test]
fn a_service_in_rust_shows_what_the_binary_shows_but_for_what_it_has_none_of() {
    let binary = Seaworthy::app().ready();
    let theirs = get(binary.ops, "/metrics").text();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ours = runtime.block_on(page_of_a_service()).expect("a service");

    let (of_binary, of_service) = (families(&theirs), families(&ours));
    let expected = |name: &&str| !BINARY_ONLY.iter().any(|only| name.starts_with(only));
    let missing: Vec<_> = of_binary.difference(&of_service).copied().filter(expected).collect();
    assert!(missing.is_empty(), "the binary alone has {missing:?}");
    let more: Vec<_> = of_service.difference(&of_binary).copied().collect();
    let more: BTreeSet<_> = more.iter().filter_map(|family| family.split(' ').next()).collect();
    assert_eq!(more, LIBRARY_ONLY.into(), "the library alone has them");
    // Or the lists above would say nothing.
    assert!(BINARY_ONLY.iter().all(|only| of_binary.iter().any(|name| name.starts_with(only))), "{of_binary:?}");

    assert_eq!(promtool(ours.as_bytes()), Ok(()), "{ours}");
}
