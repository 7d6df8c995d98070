//! What is asked over the network, whatever it is.

use super::{Metric, Row, metric};

const DAYS_LEFT: Metric = metric("health_tls_days_left", "Days until the certificate is over.");

pub(super) const HTTP: Row = Row {
    kind: "http",
    proves: "a URL answers with the right status, and with the right value in its body",
    options: &[
        "url",
        "method",
        "headers",
        "status",
        "condition",
        "json",
        "ca-file",
        "cert-file",
        "key-file",
        "warn-days",
        "fail-days",
    ],
    needs: 1,
    metrics: &[DAYS_LEFT],
    example: r#"[[check]]
name = "payments"
kind = "http"
url = "https://payments.internal/health"
json = "status"
condition = "= ok"
"#,
    failures: &[
        ("condition", "answers 503 Service Unavailable"),
        ("condition", r#"`status` is not "= ok", it is "degraded""#),
        ("auth", "answers 401 Unauthorized"),
    ],
};

pub(super) const TCP: Row = Row {
    kind: "tcp",
    proves: "something accepts connections at an address, and answers what it should",
    options: &["address", "send", "expect"],
    needs: 1,
    metrics: &[],
    example: r#"[[check]]
name = "smtp"
kind = "tcp"
address = "mail.internal:25"
expect = "220 "
"#,
    failures: &[("refused", "10.0.0.7:25: Connection refused (os error 111)")],
};

pub(super) const DNS: Row = Row {
    kind: "dns",
    proves: "a name has addresses, and the right ones",
    options: &["host", "addresses"],
    needs: 1,
    metrics: &[metric("health_dns_addresses", "How many addresses the name has.")],
    example: r#"[[check]]
name = "resolver"
kind = "dns"
host = "payments.internal"
"#,
    failures: &[("condition", r#""payments.internal" is at 10.0.0.9, not at 10.0.0.7"#)],
};

pub(super) const TLS: Row = Row {
    kind: "tls",
    proves: "a server has a valid certificate for its name; warns 20 days before it is over, fails 3 days before",
    options: &["address", "server-name", "warn-days", "fail-days", "ca-file", "cert-file", "key-file"],
    needs: 1,
    metrics: &[DAYS_LEFT],
    example: r#"[[check]]
name = "certificate"
kind = "tls"
address = "www.example.com:443"
interval = "1h"
"#,
    failures: &[
        ("tls", "invalid peer certificate: Expired"),
        ("tls", "the certificate is valid for 2.5 more days, fewer than 3"),
    ],
};

pub(super) const GRPC: Row = Row {
    kind: "grpc",
    proves: "a server says by the standard gRPC health protocol that it serves",
    options: &["url", "service", "ca-file", "cert-file", "key-file"],
    needs: 1,
    metrics: &[],
    example: r#"[[check]]
name = "inventory"
kind = "grpc"
url = "grpc://inventory.internal:50051"
service = "shop.Inventory"
"#,
    failures: &[
        ("condition", "the status is NOT_SERVING"),
        ("protocol", "the server has no health service (UNIMPLEMENTED)"),
    ],
};

pub(super) const UPSTREAM: Row = Row {
    kind: "upstream",
    proves: "the requests that come are answered: counted by the gateway, nothing is asked",
    options: &["upstream", "window", "min-requests", "warn-percent", "fail-percent"],
    needs: 0,
    metrics: &[
        metric("health_upstream_requests", "Requests that ended within the window."),
        metric("health_upstream_failed_percent", "How many of them failed, or were answered 5xx."),
        metric("health_upstream_in_flight", "Requests that are being served."),
    ],
    example: r#"[[check]]
name = "requests"
kind = "upstream"
interval = "5s"
window = "1m"
fail-percent = 50
"#,
    failures: &[("condition", "63 of 120 requests failed within 60s")],
};
