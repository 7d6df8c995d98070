//! Reports against a receiver that only remembers; others check their format in the tests of the binary.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use seaworthy_core::event::{Nowhere, Outcome};
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;

#[derive(Debug, Default)]
pub(crate) struct Receiver {
    envelopes: Mutex<Vec<Vec<Value>>>,
    dsn: std::sync::OnceLock<String>,
    /// What each answer says beyond its 200.
    limits: Mutex<Vec<&'static str>>,
}

impl Receiver {
    pub(crate) async fn start() -> (Arc<Self>, Settings) {
        let receiver = Arc::<Self>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dsn = format!("http://abracadabra@{}/42", listener.local_addr().unwrap());
        let kept = receiver.clone();
        receiver.dsn.set(dsn.clone()).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = receiver.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let receiver = receiver.clone();
                    async move {
                        assert_eq!(request.uri().path(), "/api/42/envelope/");
                        let key = request.headers()["x-sentry-auth"].to_str().unwrap().to_owned();
                        assert!(key.contains("sentry_key=abracadabra"), "{key}");
                        let body = request.into_body().collect().await?.to_bytes();
                        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                        let envelope = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
                        receiver.envelopes.lock().unwrap().push(envelope);
                        let mut answer = Response::new(Full::new(Bytes::new()));
                        if let Some(limit) = receiver.limits.lock().unwrap().pop() {
                            answer.headers_mut().insert("x-sentry-rate-limits", limit.parse().unwrap());
                        }
                        Ok::<_, hyper::Error>(answer)
                    }
                });
                let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(served);
            }
        });
        (kept, Settings::new(dsn.parse().unwrap(), "orders"))
    }

    pub(crate) fn dsn(&self) -> String {
        self.dsn.get().cloned().unwrap_or_default()
    }

    /// The items of all envelopes: type and payload.
    pub(crate) fn items(&self) -> Vec<(String, Value)> {
        let envelopes = self.envelopes.lock().unwrap();
        let items = envelopes.iter().flat_map(|envelope| envelope[1..].chunks(2));
        items.map(|item| (item[0]["type"].as_str().unwrap().to_owned(), item[1].clone())).collect()
    }
}

const LONG: Duration = Duration::from_secs(20);

pub(super) fn refused<'a>(reason: Reason) -> RequestFinished<'a> {
    RequestFinished {
        request_id: "0192-id",
        path: "/orders/7",
        query: Some("token=abracadabra"),
        route: Some("/orders/{id}"),
        status: reason.status(),
        ended: SystemTime::now(),
        duration: Duration::from_millis(5),
        first_byte: Duration::from_millis(4),
        refusal: Some(reason),
        ..RequestFinished::default()
    }
}

#[tokio::test]
async fn a_forced_shutdown_reaches_sentry_before_the_end() {
    let (receiver, settings) = Receiver::start().await;
    let sentry = Sentry::start(settings.release(Some("orders@1".to_owned())), Arc::new(Nowhere)).unwrap();
    let ended = Event::StopEnded { outcome: Outcome::Forced, took: LONG, requests_cut: 3 };
    sentry.reporter().emit(&ended);
    sentry.close(LONG).await;
    let items = receiver.items();
    let [(kind, event)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((kind.as_str(), event["level"].as_str()), ("event", Some("error")));
    assert_eq!(event["release"], "orders@1");
    assert_eq!(event["exception"]["values"][0]["value"], "Forced shutdown after timeout");
    assert_eq!(event["extra"]["requests_cut"], 3);
}

#[tokio::test]
async fn a_storm_of_refusals_is_one_report_with_the_request_and_without_secrets() {
    let (receiver, settings) = Receiver::start().await;
    let sentry = Sentry::start(settings.show(Redactor::default(), true), Arc::new(Nowhere)).unwrap();
    let reporter = sentry.reporter();
    for _ in 0..1000 {
        reporter.finished(&refused(Reason::UpstreamUnreachable));
        reporter.finished(&refused(Reason::Draining));
        reporter.finished(&refused(Reason::BadRequest));
    }
    sentry.close(LONG).await;
    let items = receiver.items();
    let [(_, event)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(event["tags"]["request_id"], "0192-id");
    assert_eq!(event["transaction"], "GET /orders/{id}");
    assert_eq!(event["request"]["query_string"], "token=***");
    assert!(!event.to_string().contains("abracadabra"), "{event}");
}

#[tokio::test]
async fn what_sentry_does_not_want_is_not_sent_and_told_of_later() {
    let (receiver, settings) = Receiver::start().await;
    receiver.limits.lock().unwrap().push("60:transaction:organization");
    let sentry = Sentry::start(settings.traces_sample_rate(1.0), Arc::new(Nowhere)).unwrap();
    let reporter = sentry.reporter();
    let served = RequestFinished { status: 200, refusal: None, ..refused(Reason::Overloaded) };
    reporter.finished(&served);
    while reporter.counts().sent == 0 {
        tokio::task::yield_now().await;
    }
    reporter.finished(&served);
    while reporter.counts().lost == 0 {
        tokio::task::yield_now().await;
    }
    reporter.capture(Report::new("worth a look", "really"));
    sentry.close(LONG).await;
    let items = receiver.items();
    let kinds: Vec<_> = items.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["transaction", "event", "client_report"]);
    assert_eq!(items[0].1["contexts"]["trace"]["status"], "ok");
    let discarded = &items[2].1["discarded_events"][0];
    assert_eq!((&discarded["reason"], &discarded["quantity"]), (&"ratelimit_backoff".into(), &1.into()));
}

#[tokio::test]
async fn a_sentry_that_is_away_holds_nobody_up_and_costs_bounded_memory() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("http://abracadabra@{}/42", nobody.local_addr().unwrap());
    drop(nobody);
    let settings = Settings::new(dsn.parse().unwrap(), "orders");
    let sentry = Sentry::start(settings, Arc::new(Nowhere)).unwrap();
    let reporter = sentry.reporter();
    for number in 0..1000 {
        reporter.capture(Report::new(format!("kind {number}"), "x".repeat(1000)));
    }
    assert!(!reporter.shared.outbox.has_room());
    sentry.close(LONG).await;
    // As many as there are fingerprints, and one for all beyond them.
    assert_eq!(reporter.counts(), ReportCounts { sent: 0, lost: 257 });
}
