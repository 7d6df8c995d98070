//! Every kind of check: what it proves, what it takes, what it reports, and what its failure looks like.
//!
//! The configuration, the documents and the metrics are made from these rows, and tests hold them against each other.

mod machine;
mod network;
mod queues;
mod stores;

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

/// Every kind, in the order of the documents.
pub const ROWS: &[Row] = &[
    network::HTTP,
    network::TCP,
    stores::POSTGRES,
    stores::MYSQL,
    stores::REDIS,
    network::DNS,
    network::TLS,
    machine::DISK,
    machine::MEMORY,
    machine::COMMAND,
    machine::HEARTBEAT,
    machine::ENCRYPTION,
    network::GRPC,
    queues::NATS,
    queues::AMQP,
    queues::BULLMQ,
    network::UPSTREAM,
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
