//! The words of `[[check]]`: kinds, what they affect, how bad a failure is.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The keys that every kind takes.
pub(crate) const COMMON: [&str; 14] = [
    "name",
    "kind",
    "affects",
    "interval",
    "timeout",
    "failure-threshold",
    "success-threshold",
    "on-failure",
    "warn-latency",
    "stale-after",
    "depends-on",
    "group",
    "gates-start",
    "labels",
];

// What each kind proves is in the catalogue of the checks; a test holds the two lists against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CheckKind {
    Http,
    Tcp,
    Postgres,
    Mysql,
    Redis,
    Dns,
    Tls,
    Disk,
    Memory,
    Command,
    Heartbeat,
    Encryption,
    Grpc,
    Nats,
    Amqp,
    Bullmq,
    Upstream,
}

impl CheckKind {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Command => "command",
            Self::Heartbeat => "heartbeat",
            Self::Encryption => "encryption",
            Self::Grpc => "grpc",
            Self::Nats => "nats",
            Self::Amqp => "amqp",
            Self::Bullmq => "bullmq",
            Self::Upstream => "upstream",
        }
    }
}

/// What a check makes worse while it fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Affects {
    /// The service gets no requests.
    Ready,
    /// The service is degraded.
    #[default]
    Health,
    /// Nothing: it is shown.
    Info,
}

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    Degraded,
    Unhealthy,
}
