//! What we tell others: spans, decoded by the generated code of OpenTelemetry, and reports, checked against Sentry's format.

use std::net::TcpListener;

use serde_json::Value;

use crate::bed::{Client, Flaky, Receiver, Seaworthy, Starting, get, until};

/// By the variables that every SDK reads.
fn by_environment(starting: Starting, collector: &Receiver, protocol: &str) -> Starting {
    starting
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{}", collector.port))
        .variable("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abracadabra")
        .variable("OTEL_RESOURCE_ATTRIBUTES", "team=sea%20team")
        .variable("OTEL_SERVICE_NAME", "shop")
        .variable("OTEL_BSP_SCHEDULE_DELAY", "50")
}

fn span(collector: &Receiver, kind: u64, path: &str) -> Value {
    collector
        .log
        .line(&format!("the span of {path}"), |span| span["kind"] == kind && span["attributes"]["url.path"] == path)
}

const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const ERROR: u64 = 2;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// What both protocols must bring.
fn spans_arrive(protocol: &str, mode: &str) {
    let collector = Receiver::start("otlp_collector.py", &[mode]);
    let service = by_environment(Seaworthy::app(), &collector, protocol).ready();
    let mut client = service.client();
    client.request(
        "GET",
        "/hide?token=abracadabra",
        &format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\nUser-Agent: \u{fe}x\r\n"),
    );
    assert_eq!(client.answer().status, 200);

    let server = span(&collector, SERVER, "/hide");
    assert_eq!((&server["trace_id"], &server["parent"]), (&TRACE.into(), &"b7ad6b7169203331".into()), "{server}");
    assert_eq!((&server["name"], &server["status"]), (&"GET /hide/:id".into(), &0.into()), "{server}");
    let attributes = &server["attributes"];
    assert_eq!(attributes["http.response.status_code"], 200, "{server}");
    assert_eq!(attributes["client.address"], "127.0.0.1", "{server}");
    assert!(server["start"].as_u64() < server["end"].as_u64(), "{server}");
    assert_eq!(server["resource"]["service.name"], "shop", "{server}");
    assert_eq!(server["resource"]["team"], "sea team", "{server}");
    assert!(!server.to_string().contains("abracadabra"), "{server}");

    let call = span(&collector, CLIENT, "/hide");
    assert_eq!((&call["trace_id"], &call["parent"]), (&TRACE.into(), &server["span_id"]), "{call}");
    assert_eq!(call["attributes"]["server.port"], service.app_address().port(), "{call}");

    // The program is told our call as its parent.
    let seen = service.get("/head").json();
    let traceparent = seen["headers"]["traceparent"].as_str().expect("it was told");
    let call = span(&collector, CLIENT, "/head");
    let told =
        format!("00-{}-{}-01", call["trace_id"].as_str().expect("a trace"), call["span_id"].as_str().expect("a span"));
    assert_eq!(traceparent, told);
    service.log.line("the trace in the log", |line| line["trace_id"] == call["trace_id"]);
    until("they are counted", || (service.metric("seaworthy_spans_total{outcome=\"exported\"}") >= 4.0).then_some(()));
    service.stop().with_code(0);
}

#[test]
fn spans_arrive_over_http() {
    spans_arrive("http/protobuf", "http");
}

#[test]
fn spans_arrive_over_grpc() {
    spans_arrive("grpc", "grpc");
}

#[test]
fn a_call_of_the_program_is_a_span_below_its_own_and_above_that_of_the_service() {
    let collector = Receiver::start("otlp_collector.py", &["http"]);
    let flaky = Flaky::http();
    let config = format!("egress-listen = \"127.0.0.1:0\"\n[egress.pay]\nurl = {:?}", flaky.url());
    let service = by_environment(Seaworthy::run::<String>([]), &collector, "http/protobuf").config(&config).listening();
    let listening = service.log.event("egress_listening");
    let place = listening["place"].as_str().and_then(|place| place.strip_prefix("http://")).expect("a URL");
    let mut client = Client::connect(place.split('/').next().and_then(|place| place.parse().ok()).expect("an address"));
    client.request("GET", "/pay/charges/secret", &format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n"));
    assert_eq!(client.answer().status, 200);
    let call = collector.log.line("the span of the call", |span| span["attributes"]["seaworthy.egress"] == "pay");
    assert_eq!((&call["kind"], &call["parent"]), (&CLIENT.into(), &"b7ad6b7169203331".into()), "{call}");
    assert!(!call.to_string().contains("secret"), "{call}");
    let told = format!("00-{TRACE}-{}-01", call["span_id"].as_str().expect("an id"));
    assert_eq!(flaky.seen()[0].header("traceparent"), Some(told.as_str()));
    service.stop().with_code(0);
}

#[test]
fn what_fails_is_seen_though_nothing_else_is_and_the_last_spans_are_flushed() {
    let collector = Receiver::start("otlp_collector.py", &["http"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", nobody.local_addr().unwrap());
    let service = by_environment(Seaworthy::before(&upstream), &collector, "http/protobuf")
        .variable("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        .variable("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        .ready();
    drop(nobody);
    assert_eq!(service.get("/gone").status, 502);
    service.stop().with_code(0);
    let span = span(&collector, SERVER, "/gone");
    assert_eq!(span["status"], ERROR, "{span}");
    assert_eq!(span["attributes"]["error.type"], "upstream_unreachable", "{span}");
}

#[test]
fn a_collector_that_refuses_or_is_away_costs_nothing_but_a_line_and_a_count() {
    let collector = Receiver::start("otlp_collector.py", &["http"]);
    let service = by_environment(Seaworthy::app(), &collector, "http/protobuf")
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hocuspocus")
        .ready();
    assert_eq!(service.get("/json").status, 200);
    let failed = service.log.event("export_failed");
    assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains("401")), "{failed}");
    until("it is counted", || (service.metric("seaworthy_spans_total{outcome=\"failed\"}") >= 2.0).then_some(()));
    let ended = service.stop().with_code(0);
    assert!(!ended.output.contains("hocuspocus"), "{}", ended.output);

    drop(collector);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let config = format!("[trace]\nendpoint = {endpoint:?}\nqueue = 100\nbatch = 10\ndelay = \"10ms\"");
    let service = Seaworthy::app().config(&config).ready();
    let mut client = service.client();
    for _ in 0..300 {
        assert_eq!(client.get("/json").status, 200);
    }
    until("what does not fit is dropped", || {
        (service.metric("seaworthy_spans_total{outcome=\"dropped\"}") > 0.0).then_some(())
    });
    service.stop().with_code(0);
}

fn dsn(sentry: &Receiver) -> String {
    format!("http://abracadabra@127.0.0.1:{}/42", sentry.port)
}

fn report(sentry: &Receiver, kind: &str) -> Value {
    let is = |line: &Value| line["payload"]["exception"]["values"][0]["type"] == kind;
    sentry.log.line(&format!("the report of {kind}"), is)["payload"].clone()
}

#[test]
fn sentry_hears_of_refusals_deaths_and_every_shutdown() {
    let sentry = Receiver::start("sentry_receiver.py", &[]);
    let service = Seaworthy::app()
        .config(
            "service = \"shop\"\nversion = \"1.2\"\n[restart]\nbackoff = \"10ms\"\n[start]\nhold-after-crash = \"0s\"",
        )
        .variable("SENTRY_DSN", &dsn(&sentry))
        .variable("SENTRY_ENVIRONMENT", "staging")
        .variable("SENTRY_TRACES_SAMPLE_RATE", "1")
        .ready();
    let mut client = service.client();
    client.request("GET", "/exit", "X-Request-ID: the-one\r\n");
    assert_eq!(client.answer().status, 502);

    let refused = report(&sentry, "upstream_closed");
    assert_eq!(refused["tags"]["request_id"], "the-one", "{refused}");
    assert_eq!((&refused["environment"], &refused["release"]), (&"staging".into(), &"shop@1.2".into()), "{refused}");
    let died = report(&sentry, "app died");
    assert_eq!((&died["level"], &died["extra"]["code"]), (&"error".into(), &3.into()), "{died}");
    let transaction = sentry.log.line("a transaction", |line| line["item"] == "transaction")["payload"].clone();
    assert_eq!(transaction["contexts"]["trace"]["op"], "http.server", "{transaction}");

    until("it is ready again", || (get(service.ops, "/health/ready").status == 200).then_some(()));
    let ended = service.stop().with_code(0);
    let stopped = report(&sentry, "graceful shutdown");
    assert_eq!(stopped["level"], "info", "{stopped}");
    assert!(sentry.all(|line| line.get("broken").is_some()).is_empty(), "{}", sentry.log.so_far());
    assert!(!ended.output.contains("abracadabra"), "{}", ended.output);
}

#[test]
fn sentry_hears_of_a_forced_shutdown_as_an_error() {
    let sentry = Receiver::start("sentry_receiver.py", &[]);
    let service =
        Seaworthy::app().drain("delay = \"0s\"\ntimeout = \"100ms\"").variable("SENTRY_DSN", &dsn(&sentry)).ready();
    let mut waiting = service.client();
    waiting.request("GET", "/wait", "");
    until("it is in flight", || (service.metric("http_active_requests") >= 1.0).then_some(()));
    service.stop().with_code(1);
    let stopped = report(&sentry, "forced shutdown");
    assert_eq!((&stopped["level"], &stopped["extra"]["requests_cut"]), (&"error".into(), &1.into()), "{stopped}");
}

#[test]
fn sentry_hears_of_a_check_that_fails_for_long_only() {
    let sentry = Receiver::start("sentry_receiver.py", &[]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let config = format!(
        "[sentry]\ncheck-failed-after = \"200ms\"\n[[check]]\nname = \"cache\"\nkind = \"tcp\"\naddress = \"{address}\"\n\
         affects = \"info\"\ninterval = \"100ms\"\ntimeout = \"50ms\"\n"
    );
    let service = Seaworthy::app().config(&config).variable("SENTRY_DSN", &dsn(&sentry)).ready();
    let failed = report(&sentry, "check failed for long");
    assert_eq!(failed["extra"]["check"], "cache", "{failed}");
    assert!(failed["extra"]["failed_for"].as_f64().is_some_and(|time| time >= 0.2), "{failed}");
    service.stop().with_code(0);
}

#[test]
fn a_dsn_that_is_none_is_an_error_that_does_not_show_it() {
    let refused = Seaworthy::app().variable("SENTRY_DSN", "https://abracadabra@sentry.example").exit().with_code(64);
    assert!(refused.output.contains("`sentry.dsn` is no DSN: it has no project"), "{}", refused.output);
    assert!(!refused.output.contains("abracadabra"), "{}", refused.output);
}
