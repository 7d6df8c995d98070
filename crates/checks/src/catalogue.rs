//! Every kind of check: what it proves, what it takes, what it reports, and what its failure looks like.
//!
//! The configuration, the documents and the metrics are made from these rows, and tests hold them against each other.

/// A kind of check.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// As in `kind = "…"`.
    pub kind: &'static str,
    /// In one sentence, what is true when it passes.
    pub proves: &'static str,
    /// The keys it takes besides those that every check has. Those in front, [`needs`](Self::needs) of them, must be given.
    pub options: &'static [&'static str],
    /// How many of the options must be given.
    pub needs: usize,
    /// The metrics it reports besides status and duration.
    pub metrics: &'static [Metric],
    /// A `[[check]]` that works, in TOML.
    pub example: &'static str,
    /// What its usual failures say.
    pub failures: &'static [(&'static str, &'static str)],
}

/// A metric that a kind reports: a gauge, with the label `name` and those given here.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const fn metric(name: &'static str, help: &'static str) -> Metric {
    Metric { name, labels: &[], help }
}

const DAYS_LEFT: Metric = metric("health_tls_days_left", "Days until the certificate is over.");

/// Every kind, in the order of the documents.
pub const ROWS: &[Row] = &[
    Row {
        kind: "http",
        proves: "a URL answers with the right status, and with the right value in its body",
        options: &["url", "method", "headers", "status", "condition", "json", "ca-file", "warn-days", "fail-days"],
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
    },
    Row {
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
    },
    Row {
        kind: "postgres",
        proves: "PostgreSQL answers a query in time; warns when 80% of its connections are in use",
        options: &["url", "query", "condition", "warn-percent", "ca-file"],
        needs: 1,
        metrics: &[
            Metric { name: "health_db_connections", labels: &["state"], help: "Connections of clients, by state." },
            metric("health_db_connections_max", "The most connections that the server takes."),
            metric("health_db_waiting_locks", "Locks that somebody waits for."),
            metric("health_db_replica", "Whether the server is a replica."),
            metric("health_replica_lag_seconds", "How far a replica is behind."),
            Metric { name: "health_pgbouncer_clients_active", labels: &["pool"], help: "Clients with a connection." },
            Metric { name: "health_pgbouncer_clients_waiting", labels: &["pool"], help: "Clients that wait for one." },
            Metric { name: "health_pgbouncer_servers_active", labels: &["pool"], help: "Connections in use." },
            Metric { name: "health_pgbouncer_servers_idle", labels: &["pool"], help: "Connections at rest." },
        ],
        example: r#"[[check]]
name = "database"
kind = "postgres"
url = { env = "DATABASE_URL" }
affects = "ready"
interval = "10s"
"#,
        failures: &[
            ("refused", "10.0.0.7:5432: Connection refused (os error 111)"),
            ("auth", r#"FATAL: password authentication failed for user "app" (SQLSTATE 28P01)"#),
            ("condition", "FATAL: sorry, too many clients already (SQLSTATE 53300)"),
            ("timeout", "no answer within 5s"),
        ],
    },
    Row {
        kind: "redis",
        proves: "Redis or Valkey answers PING; warns when 80% of its memory or connections are in use",
        options: &["url", "sentinel", "warn-percent", "ca-file"],
        needs: 1,
        metrics: &[
            metric("health_redis_used_memory_bytes", "Memory in use."),
            metric("health_redis_max_memory_bytes", "Memory that may be used; 0 is as much as there is."),
            metric("health_redis_connected_clients", "Clients that are connected."),
            metric("health_redis_max_clients", "The most clients that may be."),
            metric("health_redis_master", "Whether the server is a master."),
            metric("health_redis_replication_up", "Whether a replica hears of its master."),
        ],
        example: r#"[[check]]
name = "cache"
kind = "redis"
url = "redis://cache.internal:6379/0"
"#,
        failures: &[
            ("auth", "NOAUTH Authentication required."),
            ("condition", "LOADING Redis is loading the dataset in memory"),
        ],
    },
    Row {
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
    },
    Row {
        kind: "tls",
        proves: "a server has a valid certificate for its name; warns 20 days before it is over, fails 3 days before",
        options: &["address", "server-name", "warn-days", "fail-days", "ca-file"],
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
    },
    Row {
        kind: "disk",
        proves: "there is room where the service writes",
        options: &["path", "min-free", "warn-percent", "write-test"],
        needs: 1,
        metrics: &[
            metric("health_disk_free_bytes", "Bytes that are free for users without privileges."),
            metric("health_disk_total_bytes", "Bytes that there are."),
            metric("health_disk_free_inodes", "Inodes that are free for users without privileges."),
        ],
        example: r#"[[check]]
name = "uploads"
kind = "disk"
path = "/var/lib"
min-free = "1GiB"
"#,
        failures: &[("condition", "524288000 bytes are free, fewer than 1073741824")],
    },
    Row {
        kind: "memory",
        proves: "how much memory is in use; warns over 90% of the limit of the control group, or of the machine",
        options: &["warn-percent"],
        needs: 0,
        metrics: &[
            metric("health_memory_used_bytes", "Memory in use, without cache that can be given up."),
            metric("health_memory_total_bytes", "Memory that may be used."),
            metric("health_memory_used_percent", "The one in percent of the other."),
        ],
        example: r#"[[check]]
name = "memory"
kind = "memory"
"#,
        failures: &[("condition", "93% of the memory of the control group is in use")],
    },
    Row {
        kind: "command",
        proves: "a program ends with the right exit code, and says what it should",
        options: &["command", "exit-code", "condition", "env"],
        needs: 1,
        metrics: &[],
        example: r#"[[check]]
name = "license"
kind = "command"
command = ["./check-license", "--quiet"]
interval = "1h"
timeout = "30s"
"#,
        failures: &[("condition", "it ended with exit code 1: the license is over")],
    },
    Row {
        kind: "heartbeat",
        proves: "somebody said in time that it still works: a cron job, a backup, a worker without HTTP",
        options: &["within", "schedule", "time-zone", "grace", "max-duration", "token"],
        needs: 0,
        metrics: &[
            metric("health_heartbeat_age_seconds", "How long ago the last sign of life came."),
            metric(
                "health_heartbeat_duration_seconds",
                "How long the job took, as it said or as its start and end say.",
            ),
        ],
        example: r#"[[check]]
name = "backup"
kind = "heartbeat"
within = "1d"
grace = "1h"
"#,
        failures: &[
            ("condition", "the last sign of life came 90001s ago; one is due every 86400s"),
            ("condition", r#"the last sign of life came 97200s ago; one is due by "0 3 * * *" Europe/Berlin"#),
            ("condition", "it said 340s ago that it failed, with exit code 3"),
            ("condition", "it began 7201s ago and has not ended"),
        ],
    },
    Row {
        kind: "encryption",
        proves: "a key is set, has the length of AES-256, and decrypts what it encrypts",
        options: &["key"],
        needs: 1,
        metrics: &[
            metric("health_encryption_key_set", "Whether there is a key."),
            metric("health_encryption_key_valid", "Whether the key has the right length."),
            metric("health_encryption_test_passed", "Whether it decrypts what it encrypts."),
            metric("health_encryption_key_length", "Bytes of the key."),
        ],
        example: r#"[[check]]
name = "encryption"
kind = "encryption"
key = { env = "ENCRYPTION_KEY" }
"#,
        failures: &[(
            "condition",
            "the key is not one of 32 bytes in hexadecimal, base64 or as it is: it has 7 characters",
        )],
    },
    Row {
        kind: "grpc",
        proves: "a server says by the standard gRPC health protocol that it serves",
        options: &["url", "service", "ca-file"],
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
    },
    Row {
        kind: "nats",
        proves: "NATS answers PING; reports how far consumers of JetStream are behind",
        options: &["url", "consumers", "warn-pending", "ca-file"],
        needs: 1,
        metrics: &[
            Metric {
                name: "health_nats_consumer_pending",
                labels: &["consumer"],
                help: "Messages that wait for a consumer.",
            },
            Metric {
                name: "health_nats_consumer_unacknowledged",
                labels: &["consumer"],
                help: "Messages that a consumer has not acknowledged.",
            },
        ],
        example: r#"[[check]]
name = "events"
kind = "nats"
url = "nats://events.internal:4222"
consumers = ["ORDERS/mailer"]
warn-pending = 10000
"#,
        failures: &[("auth", "Authorization Violation"), ("condition", "the server has no JetStream")],
    },
    Row {
        kind: "bullmq",
        proves: "queues of BullMQ are there; reports how long they are, and how long the oldest job waits",
        options: &["url", "queues", "prefix", "warn-pending", "sentinel", "ca-file"],
        needs: 2,
        metrics: &[
            Metric { name: "queue_size", labels: &["queue_name", "status"], help: "Jobs in a queue, by their status." },
            Metric {
                name: "health_queue_oldest_waiting_seconds",
                labels: &["queue_name"],
                help: "How long the oldest job that waits has waited.",
            },
        ],
        example: r#"[[check]]
name = "jobs"
kind = "bullmq"
url = "redis://cache.internal:6379/0"
queues = ["mail", "reports"]
warn-pending = 1000
"#,
        failures: &[("condition", r#"there is no queue "mail" with the prefix "bull""#)],
    },
];

/// Keys of which exactly one must be given, by kind.
pub const EITHER: &[(&str, [&str; 2])] = &[("heartbeat", ["within", "schedule"])];

/// The row of a kind.
#[must_use]
pub fn row(kind: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.kind == kind)
}

/// Every metric of every kind, each name once, by name.
#[must_use]
pub fn metrics() -> Vec<&'static Metric> {
    let mut metrics: Vec<_> = ROWS.iter().flat_map(|row| row.metrics).collect();
    metrics.sort_unstable_by_key(|metric| metric.name);
    metrics.dedup_by_key(|metric| metric.name);
    metrics
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own_and_examples_of_themselves() {
        let kinds: BTreeSet<_> = ROWS.iter().map(|row| row.kind).collect();
        assert_eq!(kinds.len(), ROWS.len());
        for row in ROWS {
            assert!(row.example.contains(&format!("kind = \"{}\"", row.kind)), "{}", row.kind);
            assert!(row.needs <= row.options.len(), "{}", row.kind);
            for needed in &row.options[..row.needs] {
                assert!(row.example.contains(&format!("\n{needed} = ")), "{}: {needed}", row.kind);
            }
        }
    }

    #[test]
    fn a_metric_that_several_kinds_report_is_the_same_for_each() {
        let mut seen = BTreeMap::new();
        for metric in ROWS.iter().flat_map(|row| row.metrics) {
            let said = (metric.labels, metric.help);
            assert_eq!(*seen.entry(metric.name).or_insert(said), said, "{}", metric.name);
        }
        assert_eq!(seen.len(), metrics().len());
    }
}
