//! The tables `[egress.NAME]`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, seconds};
use crate::config::units::{As, Bind, Cidr, Destination, FilePath, SecretSource, Size, StatusRange};

/// A service that the program calls through us: with a breaker, retries, timeouts and a bulkhead. The program finds it under
/// `EGRESS_NAME_URL`, as in `http://127.0.0.1:9091/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Egress {
    /// Where the service is. Nothing else can be called, and redirects are not followed.
    #[cfg_attr(test, schemars(extend("examples" = ["https://api.stripe.com"])))]
    pub(crate) url: As<Destination>,

    /// Defaults for `failures`, `failure-window` and `open`.
    #[cfg_attr(test, schemars(extend("x-default" = "the preset called as the table, if there is one", "examples" = ["stripe"])))]
    pub(crate) preset: Option<EgressPreset>,

    /// An address of its own, without the name in the path: `host:port`, a port on loopback, or `unix:/path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none: below `/NAME/` on `egress-listen`", "x-restart" = true, "examples" = ["127.0.0.1:0"])))]
    pub(crate) listen: Option<As<Bind>>,

    /// Networks that are not public, and that the name in `url` may lead to. An address that stands in `url` itself, and
    /// `localhost`, need not be listed.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("examples" = [["10.0.0.0/8"]])))]
    pub(crate) private: Vec<As<Cidr>>,

    /// The authorities whose certificates are believed, in PEM, in place of the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["/etc/ssl/private-ca.pem"])))]
    pub(crate) ca_file: Option<As<FilePath>>,

    /// A token that each call carries as `Authorization: Bearer …`, in place of what the program sends there. The program need not
    /// hold it, and a variable that it is taken from is not handed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "file": "/run/secrets/stripe-key" }])))]
    pub(crate) bearer: Option<As<SecretSource>>,

    /// Headers that each call carries, in place of what the program sends under their names, and as secret as `bearer`.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("examples" = [{ "x-api-key": { "file": "/run/secrets/api-key" } }])))]
    pub(crate) headers: BTreeMap<String, As<SecretSource>>,

    /// Who decides whether calls go through.
    #[serde(default)]
    pub(crate) breaker: BreakerMode,

    /// So many failures within `failure-window` open the breaker.
    #[cfg_attr(test, schemars(range(max = 10_000), extend("x-default" = "as the preset has it, else 5", "examples" = [3])))]
    pub(crate) failures: Option<NonZeroU32>,

    /// Within how long.
    #[cfg_attr(test, schemars(extend("x-default" = "as the preset has it, else 60s", "examples" = ["2m"])))]
    pub(crate) failure_window: Option<Time>,

    /// So many failures of a hundred calls open it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 100), extend("x-default" = "none", "examples" = [50])))]
    pub(crate) failure_percent: Option<u8>,

    /// So many slow calls of a hundred open it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 100), extend("x-default" = "none", "examples" = [80])))]
    pub(crate) slow_percent: Option<u8>,

    /// From when on a call is slow.
    #[serde(default = "five_seconds")]
    pub(crate) slow_after: Time,

    /// The calls of how long the percentages are taken of.
    #[serde(default = "a_minute")]
    pub(crate) rate_window: Time,

    /// Fewer calls than that within `rate-window` have no percentage.
    #[serde(default = "ten")]
    #[cfg_attr(test, schemars(range(max = 10_000)))]
    pub(crate) minimum_calls: NonZeroU32,

    /// How long it stays open; up to a tenth is added at random.
    #[cfg_attr(test, schemars(extend("x-default" = "as the preset has it, else 30s", "examples" = ["45s"])))]
    pub(crate) open: Option<Time>,

    /// The open time doubles while probes fail, up to this.
    #[cfg_attr(test, schemars(extend("x-default" = "8 × `open`", "examples" = ["30m"])))]
    pub(crate) open_max: Option<Time>,

    /// So many probes have to succeed before it closes.
    #[serde(default = "one")]
    #[cfg_attr(test, schemars(range(max = 100)))]
    pub(crate) probes: NonZeroU32,

    /// Statuses that count neither as failure nor as success. Failures are 429 and 5xx but for 501, and no answer.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("examples" = [[429]])))]
    pub(crate) ignore_status: Vec<As<StatusRange>>,

    /// How often a call is tried again that failed: of an idempotent method, or with an `Idempotency-Key`.
    #[serde(default = "three")]
    #[cfg_attr(test, schemars(range(max = 10)))]
    pub(crate) retries: u32,

    /// Which statuses are tried again; no answer always is.
    #[serde(default = "retry_statuses")]
    pub(crate) retry_status: Vec<As<StatusRange>>,

    /// The longest wait before the first retry; each further one is twice as long. A random part of it is waited.
    #[serde(default = "one_second")]
    pub(crate) retry_backoff: Time,

    /// The longest wait of all.
    #[serde(default = "ten_seconds")]
    pub(crate) retry_backoff_max: Time,

    /// A `Retry-After` up to this is waited for; beyond it the program gets the answer.
    #[serde(default = "thirty_seconds")]
    pub(crate) retry_after_max: Time,

    /// Of a hundred calls so many may be retries, beyond three a second.
    #[serde(default = "twenty")]
    #[cfg_attr(test, schemars(range(max = 100)))]
    pub(crate) retry_budget_percent: u8,

    /// The largest body that is kept to be sent again; a larger one, or one of unknown length, is streamed and sent once.
    #[serde(default = "retry_body")]
    pub(crate) retry_body: As<Size>,

    /// A call that takes longer gets a second attempt beside the first, and the answer that comes first is taken. Beside
    /// `hedge-percentile`, whichever is sooner. Second attempts are within the budget of the retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["200ms"])))]
    pub(crate) hedge_after: Option<Time>,

    /// A call that takes longer than so many of a hundred did within the last minute gets a second attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 99), extend("x-default" = "none", "examples" = [95])))]
    pub(crate) hedge_percentile: Option<u8>,

    /// Fewer answers within the last minute have no percentile.
    #[serde(default = "twenty_samples")]
    #[cfg_attr(test, schemars(range(max = 10_000)))]
    pub(crate) hedge_samples: NonZeroU32,

    /// Which calls may be made twice at the same time. A body that is not kept, by `retry-body`, is never sent twice.
    #[serde(default)]
    pub(crate) hedge_methods: HedgeMethods,

    /// For name, TCP and TLS together.
    #[cfg_attr(test, schemars(extend("x-default" = "3s, or `attempt-timeout` if that is shorter", "examples" = ["1s"])))]
    pub(crate) connect_timeout: Option<Time>,

    /// For one attempt, to the head of its answer.
    #[cfg_attr(test, schemars(extend("x-default" = "10s, or half of `total-timeout` if that is shorter", "examples" = ["5s"])))]
    pub(crate) attempt_timeout: Option<Time>,

    /// For all attempts and the waits between them, to the head of the answer. Bodies may take longer.
    #[cfg_attr(test, schemars(extend("x-default" = "30s, or 3 × `attempt-timeout` if that is longer", "examples" = ["1m"])))]
    pub(crate) total_timeout: Option<Time>,

    /// How long nothing of the body of an answer may come.
    #[serde(default = "a_minute")]
    pub(crate) idle_timeout: Time,

    /// How many calls may run at a time.
    #[serde(default = "a_hundred")]
    #[cfg_attr(test, schemars(range(max = 100_000)))]
    pub(crate) concurrency: NonZeroU32,

    /// How many more may wait for their turn; beyond them 503.
    #[serde(default = "a_hundred_waiting")]
    #[cfg_attr(test, schemars(range(max = 100_000)))]
    pub(crate) queue: u32,

    /// How long a call may wait for its turn; then 503.
    #[serde(default = "one_second")]
    pub(crate) queue_timeout: Time,

    /// The body of an answer while the breaker is open, in place of 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["{\"rates\":[]}"])))]
    pub(crate) fallback_body: Option<String>,

    /// The status beside `fallback-body`.
    #[serde(default = "ok")]
    #[cfg_attr(test, schemars(range(min = 200, max = 599)))]
    pub(crate) fallback_status: u16,

    /// The media type of `fallback-body`.
    #[serde(default = "json")]
    pub(crate) fallback_type: String,
}

/// What a breaker trips on, as those who call these services do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EgressPreset {
    /// 3 failures in 60s, open for 30s.
    Stripe,
    /// 5 failures in 5m, open for 60s.
    Twilio,
    /// 3 failures in 10m, open for 2m.
    Namesilo,
    /// 5 failures in 2m, open for 30s.
    Openai,
}

impl EgressPreset {
    pub(crate) fn named(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }
}

/// Who decides whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BreakerMode {
    /// The calls themselves.
    #[default]
    Automatic,
    /// No call goes through.
    ForcedOpen,
    /// Every call goes through; they are counted, and nothing opens.
    MetricsOnly,
    /// Every call goes through.
    Disabled,
}

/// What may be made twice at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HedgeMethods {
    /// What changes nothing: `GET`, `HEAD`, `OPTIONS`, `TRACE`.
    #[default]
    Safe,
    /// `PUT` and `DELETE` as well: of two that run at once the later one can undo what somebody else did in between.
    Idempotent,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn ten() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(9)
}

fn twenty_samples() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(19)
}

fn a_hundred() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(99)
}

fn a_hundred_waiting() -> u32 {
    100
}

fn three() -> u32 {
    3
}

fn twenty() -> u8 {
    20
}

fn retry_statuses() -> Vec<As<StatusRange>> {
    seaworthy::retry::STATUSES.map(|status| As(StatusRange(status..=status))).to_vec()
}

fn retry_body() -> As<Size> {
    As(Size(64 << 10))
}

fn one_second() -> Time {
    seconds(1)
}

fn five_seconds() -> Time {
    seconds(5)
}

fn ten_seconds() -> Time {
    seconds(10)
}

fn thirty_seconds() -> Time {
    seconds(30)
}

fn a_minute() -> Time {
    As(Duration::from_mins(1))
}

fn ok() -> u16 {
    200
}

fn json() -> String {
    "application/json".to_owned()
}
