//! What others are told: a collector, a Sentry and a trail, with the service between them.

use std::io::BufReader;
use std::path::Path;

use super::*;
use crate::audit::{self, Entry, Seal};
use crate::metrics::Metrics;
use crate::otlp::tests::Collector;
use crate::otlp::{self, Kind, Protocol};
use crate::sentry::tests::Receiver;
use crate::sentry::{self, Report};

/// A place where nobody listens.
async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn events_of(trail: &Path) -> String {
    let verified = audit::verify(BufReader::new(std::fs::File::open(trail).unwrap()), &Seal::plain(), None, None);
    assert!(verified.unwrap().findings.is_empty());
    std::fs::read_to_string(trail).unwrap()
}

#[tokio::test]
async fn all_that_is_told_arrives_before_the_end() {
    let (collector, directory) = (Arc::<Collector>::default(), tempfile::tempdir().unwrap());
    let (receiver, settings) = Receiver::start().await;
    let trail = directory.path().join("audit.jsonl");
    let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = admin.local_addr().unwrap();
    let production = service()
        .otlp(otlp::Settings::new(&collector.listen().await, Protocol::Http, "orders").unwrap())
        .sentry(settings)
        .audit(&trail)
        .metrics(Metrics::new("orders"))
        .admin_listener(admin)
        .on_shutdown(Phase::Telemetry, || async { Err("the last hook fails".into()) })
        .build()
        .unwrap();
    let (tracer, reporter, own) =
        (production.tracer().unwrap(), production.reporter().unwrap(), production.trail().unwrap());
    // Made before anything is served: they wait.
    tracer.begin("warm up", Kind::Internal, None).end();
    reporter.capture(Report::new("worth a look", "really"));
    own.record(Entry::new("keys_rotated", "by hand"));
    let mut running = run_built(production, Arc::default()).await;
    let mut client = running.connect().await;
    ask(&mut client, "/panic").await;
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 500"));
    let page = probe(at, "/metrics").await;
    for family in ["seaworthy_spans_total{", "seaworthy_reports_total{", "seaworthy_audit_entries_total{"] {
        assert!(page.contains(family), "{family} is not in {page}");
    }
    running.life.stop(Cause::Command);
    assert!(matches!(running.ended().await, Err(ServeError::Forced { failed: 1, .. })));
    assert_eq!(collector.names(), ["warm up", "GET"]);
    let reports: Vec<_> = receiver.items().iter().map(|(_, report)| report.to_string()).collect();
    for said in ["really", "asked to", "Graceful shutdown complete"] {
        assert!(reports.iter().any(|report| report.contains(said)), "{said} is not in {reports:?}");
    }
    let entries = events_of(&trail);
    // What fails in the very last phase is in the trail, too.
    for event in ["trail_opened", "keys_rotated", "stop_began", "stop_ended", "the last hook fails", "trail_closed"] {
        assert!(entries.contains(event), "{event} is not in {entries}");
    }
}

#[tokio::test]
async fn who_is_away_holds_up_no_end_and_makes_it_no_worse() {
    let away = nowhere().await;
    let builder = service()
        .otlp(otlp::Settings::new(&format!("http://{away}"), Protocol::Http, "orders").unwrap())
        .sentry(sentry::Settings::new(format!("http://key@{away}/1").parse().unwrap(), "orders"));
    let mut running = run(builder).await;
    let mut client = running.connect().await;
    ask(&mut client, "/").await;
    answer(&mut client).await;
    drop(client);
    running.life.stop(Cause::Command);
    let began = std::time::Instant::now();
    assert!(running.ended().await.is_ok());
    // A batch would be tried again for half a minute.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_the_environment_says_is_in_force_and_what_it_says_badly_is_warned_about() {
    let collector = Arc::<Collector>::default();
    let endpoint = collector.listen().await;
    let (receiver, _) = Receiver::start().await;
    let otlp = otlp::Environment::read(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_BSP_MAX_QUEUE_SIZE" => Some("none".to_owned()),
        _ => None,
    });
    let sentry = sentry::Environment::read(|name| match name {
        "SENTRY_DSN" => Some(receiver.dsn()),
        "SENTRY_TRACES_SAMPLE_RATE" => Some("all".to_owned()),
        _ => None,
    });
    let mut running = run(service().otlp_from(&otlp).sentry_from(&sentry)).await;
    let mut client = running.connect().await;
    ask(&mut client, "/").await;
    answer(&mut client).await;
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
    assert_eq!(collector.names(), ["GET"]);
    let items = receiver.items();
    assert_eq!(items[0].1["release"], "orders@1.2.3");
    assert!(running.said("OTEL_BSP_MAX_QUEUE_SIZE is \"none\""));
    assert!(running.said("SENTRY_TRACES_SAMPLE_RATE is not a number from 0 to 1; it is passed over"));
}

#[tokio::test]
async fn an_environment_that_asks_for_nothing_switches_nothing_on() {
    let (otlp, sentry) = (otlp::Environment::read(|_| None), sentry::Environment::read(|_| None));
    let production = service().otlp_from(&otlp).sentry_from(&sentry).build().unwrap();
    assert!(production.tracer().is_none() && production.reporter().is_none() && production.trail().is_none());
}

#[test]
fn what_cannot_be_told_is_said_at_once_and_shows_no_secret() {
    let otlp = otlp::Environment::read(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://me:abracadabra@collector".to_owned()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("api-key=abracadabra".to_owned()),
        _ => None,
    });
    let sentry = sentry::Environment::read(|name| (name == "SENTRY_DSN").then(|| "abracadabra".to_owned()));
    let refused = service().audit("/a").audit("/b").otlp_from(&otlp).sentry_from(&sentry).build().unwrap_err();
    let text = refused.to_string();
    for part in ["audit is set twice", "spans cannot be exported", "SENTRY_DSN is no DSN"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("abracadabra"), "{text}");
}

#[test]
fn a_trail_that_cannot_be_kept_and_an_authority_that_cannot_be_read_are_errors_with_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let refused = service().audit(directory.path().join("missing/audit.jsonl")).build().unwrap_err().to_string();
    assert!(refused.contains("missing/audit.jsonl cannot be opened"), "{refused}");
    let ca = directory.path().join("ca.pem").display().to_string();
    let otlp = otlp::Environment::read(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("https://collector:4318".to_owned()),
        "OTEL_EXPORTER_OTLP_CERTIFICATE" => Some(ca.clone()),
        _ => None,
    });
    let refused = service().otlp_from(&otlp).build().unwrap_err().to_string();
    assert!(refused.contains("OTEL_EXPORTER_OTLP_CERTIFICATE names") && refused.contains(&ca), "{refused}");
}

#[tokio::test]
async fn a_service_that_is_never_served_gives_its_trail_back() {
    let directory = tempfile::tempdir().unwrap();
    let trail = directory.path().join("audit.jsonl");
    drop(service().audit(&trail).build().unwrap());
    // Opening waits a moment for a lock that is about to be given up.
    let mut running = run(service().audit(&trail)).await;
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
    assert_eq!(events_of(&trail).matches("trail_closed").count(), 2);
}
