//! Brokers and queues.

use super::{Metric, Row};

pub(super) const NATS: Row = Row {
    kind: "nats",
    proves: "NATS answers PING; reports how far consumers of JetStream are behind",
    options: &["url", "consumers", "warn-pending", "ca-file", "cert-file", "key-file"],
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
};

pub(super) const AMQP: Row = Row {
    kind: "amqp",
    proves: "RabbitMQ lets us in and has the named queues; reports how long they are, and who consumes them",
    options: &["url", "queues", "warn-pending", "min-consumers", "ca-file", "cert-file", "key-file"],
    needs: 1,
    metrics: &[
        Metric { name: "health_amqp_queue_messages", labels: &["queue"], help: "Messages that wait in a queue." },
        Metric { name: "health_amqp_queue_consumers", labels: &["queue"], help: "Consumers of a queue." },
    ],
    example: r#"[[check]]
name = "broker"
kind = "amqp"
url = "amqp://broker.internal:5672/shop"
queues = ["mail"]
warn-pending = 1000
min-consumers = 1
"#,
    failures: &[
        (
            "auth",
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile. (403)",
        ),
        ("auth", "NOT_ALLOWED - vhost shop not found (530)"),
        ("condition", "NOT_FOUND - no queue 'mail' in vhost 'shop' (404)"),
        ("condition", r#"0 consumers read from "mail", fewer than 1"#),
    ],
};

pub(super) const BULLMQ: Row = Row {
    kind: "bullmq",
    proves: "queues of BullMQ are there; reports how long they are, and how long the oldest job waits",
    options: &["url", "queues", "prefix", "warn-pending", "sentinel", "ca-file", "cert-file", "key-file"],
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
};
