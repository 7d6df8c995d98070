//! An entry of `[[check]]`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use http::HeaderName;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;
use super::check_kind::{Affects, COMMON, CheckKind, Severity};
use crate::config::units::{Argv, As, FilePath, SecretSource, Size, StatusRange};

/// Something that the service depends on, asked in the background. Each kind has a page of its own in the guide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Check {
    /// What it is called in probes, metrics and alerts. Unique.
    #[cfg_attr(test, schemars(length(min = 1), extend("examples" = ["database"])))]
    pub(crate) name: String,

    /// What is asked.
    #[cfg_attr(test, schemars(extend("examples" = ["memory"])))]
    pub(crate) kind: CheckKind,

    /// What it makes worse while it fails. Liveness depends on no check: a restart mends no dependency.
    #[serde(default)]
    pub(crate) affects: Affects,

    /// From the beginning of one run to that of the next; up to a tenth is taken off at random.
    #[serde(default = "thirty_seconds")]
    pub(crate) interval: Time,

    /// How long a run may take; then it is ended, and has failed.
    #[serde(default = "five_seconds")]
    pub(crate) timeout: Time,

    /// So many failures in a row are an outage. After the first it runs again within a second.
    #[serde(default = "two")]
    pub(crate) failure_threshold: NonZeroU32,

    /// So many passes in a row are a recovery.
    #[serde(default = "one")]
    pub(crate) success_threshold: NonZeroU32,

    /// How bad a failure is, by its class: `timeout`, `refused`, `auth`, `tls`, `protocol`, `condition`; `error` for all others.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("examples" = [{ "refused": "degraded", "error": "unhealthy" }])))]
    pub(crate) on_failure: BTreeMap<String, Severity>,

    /// A pass that takes longer is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["500ms"])))]
    pub(crate) warn_latency: Option<Time>,

    /// How long a result is believed; after that the check has failed.
    #[cfg_attr(test, schemars(extend("x-default" = "3 × (`interval` + `timeout`)", "examples" = ["2m"])))]
    pub(crate) stale_after: Option<Time>,

    /// Checks that this one depends on. While one of them fails, it is the one to blame.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("examples" = [[]])))]
    pub(crate) depends_on: Vec<String>,

    /// A name for several checks together, as in `/health/group/storage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["storage"])))]
    pub(crate) group: Option<String>,

    /// Whether the start is complete only when it has passed once.
    #[serde(default)]
    pub(crate) gates_start: bool,

    /// Free values, shown as labels of `health_check_info`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "team": "payments" }])))]
    pub(crate) labels: BTreeMap<String, String>,

    /// Where to ask. It may carry a user and a password, so it is shown nowhere. For `http`, `postgres`, `mysql`,
    /// `redis`, `grpc`, `nats`, `amqp`, `bullmq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["http://localhost:3000/health", { "env": "DATABASE_URL" }])))]
    pub(crate) url: Option<As<SecretSource>>,

    /// Where to connect: `host:port` or `unix:/path`. For `tcp`, `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["mail.internal:25"])))]
    pub(crate) address: Option<String>,

    /// How to ask. For `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "`GET`", "examples" = ["HEAD"])))]
    pub(crate) method: Option<String>,

    /// Headers to send. For `http`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "authorization": { "file": "/run/secrets/health-token" } }])))]
    pub(crate) headers: BTreeMap<String, As<SecretSource>>,

    /// Which statuses are right: `200`, `"200-299"`, `"2xx"`. For `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "`[\"2xx\"]`", "examples" = [[200, "204-206"]])))]
    pub(crate) status: Option<Vec<As<StatusRange>>>,

    /// What the answer must be like: `= ok`, `!= 0`, `> 10`, `contains ready`. For `http`, `postgres`, `mysql`,
    /// `command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["= ok"])))]
    pub(crate) condition: Option<String>,

    /// Where in the body, read as JSON, the value for `condition` stands. For `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["checks.database.status"])))]
    pub(crate) json: Option<String>,

    /// What to say once connected. For `tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["PING\r\n"])))]
    pub(crate) send: Option<String>,

    /// What the answer must contain. For `tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["+PONG"])))]
    pub(crate) expect: Option<String>,

    /// A query to run, where it cannot write. For `postgres`, `mysql`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "`SELECT 1`", "examples" = ["SELECT count(*) FROM jobs WHERE failed"])))]
    pub(crate) query: Option<String>,

    /// The name of the master, where the URL is that of a Sentinel. For `redis`, `bullmq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["mymaster"])))]
    pub(crate) sentinel: Option<String>,

    /// More in use than this is a warning. For `postgres`, `mysql`, `redis`, `disk`, `memory`; for `upstream`, more failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 100), extend("x-default" = "80; 90 for `disk` and `memory`, 10 for `upstream`", "examples" = [85])))]
    pub(crate) warn_percent: Option<u8>,

    /// The authorities whose certificates are believed, in PEM, in place of the public ones. For every kind with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["/etc/ssl/private-ca.pem"])))]
    pub(crate) ca_file: Option<As<FilePath>>,

    /// Our own certificate, for servers that ask for one, with those up to its authority, in PEM. For every kind with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["/etc/ssl/client.pem"])))]
    pub(crate) cert_file: Option<As<FilePath>>,

    /// The private key of `cert-file`, in PEM. For every kind with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["/etc/ssl/client.key"])))]
    pub(crate) key_file: Option<As<FilePath>>,

    /// The name that the certificate must be for. For `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "the host of `address`", "examples" = ["www.example.com"])))]
    pub(crate) server_name: Option<String>,

    /// A certificate that is valid for fewer days is a warning. For `http`, `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(max = 3650), extend("x-default" = "20", "examples" = [30])))]
    pub(crate) warn_days: Option<u32>,

    /// A certificate that is valid for fewer days is a failure. For `http`, `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(max = 3650), extend("x-default" = "3", "examples" = [7])))]
    pub(crate) fail_days: Option<u32>,

    /// The name to look up. For `dns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["payments.internal"])))]
    pub(crate) host: Option<String>,

    /// The addresses that the name must have, these and no others. For `dns`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [["10.0.0.7"]])))]
    pub(crate) addresses: Vec<String>,

    /// A file or directory on the disk to look at. For `disk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["/var/lib/app"])))]
    pub(crate) path: Option<As<FilePath>>,

    /// Fewer free bytes are a failure. For `disk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["1GiB"])))]
    pub(crate) min_free: Option<As<Size>>,

    /// Whether to write a file into the directory, and take it away again. For `disk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "false", "examples" = [true])))]
    pub(crate) write_test: Option<bool>,

    /// The program to run and its arguments; no shell is run. For `command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [["./check-license", "--quiet"]])))]
    pub(crate) command: Option<As<Argv>>,

    /// The exit code of success. For `command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(max = 255), extend("x-default" = "0", "examples" = [2])))]
    pub(crate) exit_code: Option<u8>,

    /// Environment variables for the command, besides those of the program. For `command`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "LICENSE": { "env": "LICENSE_KEY" } }])))]
    pub(crate) env: BTreeMap<String, As<SecretSource>>,

    /// How long after one sign of life the next is due. For `heartbeat`, where `schedule` does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["1d"])))]
    pub(crate) within: Option<Time>,

    /// When a sign of life is due, as cron writes it: minute, hour, day of the month, month, day of the week. For `heartbeat`,
    /// in place of `within`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "none", "examples" = ["0 3 * * MON-FRI"])))]
    pub(crate) schedule: Option<String>,

    /// The time zone of `schedule`. For `heartbeat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "`UTC`", "examples" = ["Europe/Berlin"])))]
    pub(crate) time_zone: Option<String>,

    /// How long a job may take that says when it starts. For `heartbeat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "until it is due again", "examples" = ["2h"])))]
    pub(crate) max_duration: Option<Time>,

    /// Takes signs of life on the public listener too, at `/heartbeat/NAME`, from whoever brings this as `Authorization: Bearer`.
    /// For `heartbeat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "env": "BACKUP_TOKEN" }])))]
    pub(crate) token: Option<As<SecretSource>>,

    /// How much later than that it may come. For `heartbeat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "`0s`", "examples" = ["1h"])))]
    pub(crate) grace: Option<Time>,

    /// The key: 32 bytes in hexadecimal, in base64, or as they are. For `encryption`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "env": "ENCRYPTION_KEY" }])))]
    pub(crate) key: Option<As<SecretSource>>,

    /// The service of the server to ask about. For `grpc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "the server as a whole", "examples" = ["shop.Inventory"])))]
    pub(crate) service: Option<String>,

    /// Consumers of JetStream, each as `STREAM/CONSUMER`. For `nats`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [["ORDERS/mailer"]])))]
    pub(crate) consumers: Vec<String>,

    /// More messages or jobs that wait are a warning. For `nats`, `amqp`, `bullmq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [1000])))]
    pub(crate) warn_pending: Option<u64>,

    /// Fewer consumers of a queue are a failure. For `amqp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1), extend("x-default" = "none", "examples" = [1])))]
    pub(crate) min_consumers: Option<u32>,

    /// The queues to look at. For `amqp`, `bullmq`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [["mail"]])))]
    pub(crate) queues: Vec<String>,

    /// The upstream whose requests count, by its name in logs and metrics. For `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "all together", "examples" = ["shop.internal:80"])))]
    pub(crate) upstream: Option<String>,

    /// How far back requests count. For `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "`1m`", "examples" = ["5m"])))]
    pub(crate) window: Option<Time>,

    /// So many requests must have come within the window, or nothing is said. For `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "20", "examples" = [100])))]
    pub(crate) min_requests: Option<u64>,

    /// More failures among them than this are a failure. For `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 100), extend("x-default" = "50", "examples" = [25])))]
    pub(crate) fail_percent: Option<u8>,

    /// What stands in front of the names of all keys. For `bullmq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1), extend("x-default" = "`bull`", "examples" = ["jobs"])))]
    pub(crate) prefix: Option<String>,
}

fn thirty_seconds() -> Time {
    super::seconds(30)
}

fn five_seconds() -> Time {
    super::seconds(5)
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn two() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

impl Check {
    /// The keys that are given and that not every kind takes.
    pub(crate) fn options(&self) -> Vec<String> {
        let written = serde_json::to_value(self).unwrap_or_default();
        let keys = written.as_object().into_iter().flatten().map(|(key, _)| key.clone());
        keys.filter(|key| !COMMON.contains(&key.as_str())).collect()
    }

    /// The headers with names that can be sent; the others are refused before.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = (&String, Option<HeaderName>)> {
        self.headers.keys().map(|name| (name, name.parse().ok()))
    }
}
