//! What others are told: a collector that decodes with code that is not ours, a receiver that checks the format of Sentry, and whoever
//! reads the audit trail.

use std::fs::File;
use std::io::BufReader;

use seaworthy::audit::{Seal, head_path, read_head, verify};

use crate::bed::{Orders, Receiver};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[test]
fn spans_reports_and_the_trail_tell_of_a_payment_and_of_the_end() {
    let (collector, sentry) =
        (Receiver::start("otlp_collector.py", &["http"]), Receiver::start("sentry_receiver.py", &[]));
    let directory = tempfile::tempdir().expect("a directory");
    let trail = directory.path().join("audit.jsonl");
    let orders = Orders::ready(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{}", collector.port)),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abracadabra"),
        ("SENTRY_DSN", &format!("http://abracadabra@127.0.0.1:{}/42", sentry.port)),
        ("AUDIT_FILE", trail.to_str().expect("it is UTF-8")),
    ]);
    let traceparent = format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n");
    let paid = orders.post_with("/payments", &traceparent, "{}").json();
    let span = collector.log.line("the span of the payment", |line| line["name"] == "POST /payments");
    assert_eq!((&span["trace_id"], &span["resource"]["service.name"]), (&TRACE.into(), &"orders".into()), "{span}");
    let call = collector
        .log
        .line("the span of the call to the provider", |line| line["attributes"]["peer.service"] == "stripe");
    assert_eq!((&call["trace_id"], &call["parent"]), (&TRACE.into(), &span["span_id"]), "{call}");

    orders.payments("fail");
    assert_eq!(orders.post("/payments", "").status, 502);
    sentry.log.line("the report of the breaker", |line| {
        line["payload"]["exception"]["values"][0]["type"] == "breaker opened"
    });
    orders.terminate();
    let (status, log) = orders.ended();
    assert!(status.success() && !log.contains("abracadabra"), "{log}");
    assert!(sentry.all(|line| line.get("broken").is_some()).is_empty(), "{}", sentry.log.so_far());

    let text = std::fs::read_to_string(&trail).expect("it is kept");
    let made: serde_json::Value = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find(|entry: &serde_json::Value| entry["event"] == "payment_made")
        .expect("the payment");
    assert_eq!((&made["details"]["reference"], &made["by"]), (&paid["reference"], &"127.0.0.1".into()), "{made}");
    assert!(text.contains("\"stop_ended\""), "{text}");
    let head = read_head(&head_path(&trail)).expect("it can be read");
    let file = BufReader::new(File::open(&trail).expect("it is there"));
    let verified = verify(file, &Seal::plain(), None, head).expect("it can be read");
    assert!(verified.findings.is_empty() && verified.entries >= 4, "{verified:?}");
}
