//! Spans, reports and the audit trail: what the variables of others mean, and what is refused.

use seaworthy::core::trace::Sampler;
use seaworthy::otlp::Protocol;

use super::*;

#[test]
fn the_variables_of_opentelemetry_come_before_the_file_and_ours_before_both() {
    let given =
        file("[trace]\nendpoint = \"http://file:4318\"\nqueue = 9\nbatch = 3\nratio = 0.5\nsampler = \"traceidratio\"")
            .variable("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/otlp")
            .variable("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2")
            .variable("OTEL_EXPORTER_OTLP_TIMEOUT", "1500")
            .variable("OTEL_BSP_MAX_QUEUE_SIZE", "100")
            .variable("OTEL_SERVICE_NAME", "shop")
            .variable("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,team=sea")
            .variable("SEAWORTHY_TRACE__BATCH", "4");
    let config = given.config();
    let export = config.trace.export.expect("there is an endpoint");
    assert_eq!((export.endpoint.as_str(), export.protocol), ("https://collector/otlp/v1/traces", Protocol::Http));
    assert_eq!((export.queue, export.batch, export.timeout), (100, 4, Duration::from_millis(1500)));
    assert_eq!(export.headers["api-key"].expose(), "hunter2");
    assert_eq!((export.resource["service.name"].as_str(), export.resource["team"].as_str()), ("shop", "sea"));
    assert_eq!(config.trace.sampler, Sampler::from_name("traceidratio", 0.5).unwrap());
    assert_eq!(given.origin("trace.endpoint"), "env OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_eq!(given.setting("trace.headers.api-key").value, "***");
}

#[test]
fn a_disabled_sdk_exports_nothing_whatever_the_file_says() {
    let given = file("[trace]\nendpoint = \"http://file:4318\"");
    assert!(given.config().trace.export.is_some());
    assert!(given.variable("OTEL_SDK_DISABLED", "true").config().trace.export.is_none());
    assert!(Given::default().config().trace.export.is_none());
}

#[test]
fn what_others_set_wrong_is_warned_about_and_passed_over() {
    let loaded = Given::default()
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
        .variable("OTEL_TRACES_SAMPLER", "sometimes")
        .variable("SENTRY_TRACES_SAMPLE_RATE", "all")
        .loaded();
    let warned: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].starts_with("env OTEL_TRACES_SAMPLER: is \"sometimes\": use one of always_on,"), "{warned:?}");
    assert!(warned[1].starts_with("env SENTRY_TRACES_SAMPLE_RATE: is not a number from 0 to 1"), "{warned:?}");
    assert!(loaded.config.trace.export.is_some());
}

#[test]
fn what_cannot_be_is_refused_without_its_secrets() {
    let problems = file(
        "[trace]\nendpoint = \"http://me:hunter2@collector\"\nheaders = { \"a b\" = \"hunter2\" }\nca-file = \"/ca\"\nbatch = 9000\n\
         [sentry]\ndsn = \"https://hunter2@sentry.example\"\ntraces-sample-rate = 2",
    )
    .with_file("/ca", "no certificate")
    .problems();
    let text = problems.join("\n");
    for word in [
        "`trace.headers.\"a b\"` cannot be sent as a header",
        "`trace.ca-file` names the file /ca, which holds no certificate",
        "trace.batch is 9000, trace.queue is 2048",
        "`sentry.dsn` is no DSN: it has no project at its end",
        "`sentry.traces-sample-rate` = 2 is not a ratio",
        "`trace.endpoint`",
    ] {
        assert!(text.contains(word), "{word} is not in:\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_dsn_is_found_wherever_secrets_are() {
    let from_file = file("version = \"1.2\"\nservice = \"shop\"\n[sentry]\ndsn = { file = \"/dsn\" }")
        .with_file("/dsn", "https://key@sentry.example/1\n");
    let sentry = from_file.config().sentry.expect("there is a DSN");
    assert_eq!(
        (sentry.dsn.to_string().as_str(), sentry.release.as_deref()),
        ("https://***@sentry.example/1", Some("shop@1.2"))
    );
    assert_eq!(sentry.environment, "production");
    let from_variable = from_file.variable("SENTRY_DSN", "https://key@other.example/2").variable("SENTRY_RELEASE", "r");
    let sentry = from_variable.config().sentry.expect("there is a DSN");
    assert_eq!(
        (sentry.dsn.to_string().as_str(), sentry.release.as_deref()),
        ("https://***@other.example/2", Some("r"))
    );
    assert_eq!(from_variable.setting("sentry.dsn").value, "***");
}

#[test]
fn a_ratio_without_a_sampler_that_asks_for_it_and_a_key_without_a_trail_are_unwise() {
    let loaded = file("[trace]\nratio = 0.1\n[audit]\nkey = { env = \"KEY\" }").variable("KEY", "x").loaded();
    let warned: Vec<_> = loaded.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warned, ["trace.ratio", "audit.key"]);
    assert_eq!(loaded.config.audit, None);
}
