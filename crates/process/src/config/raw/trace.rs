//! The table `[trace]`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, seconds};
use crate::config::units::{As, CollectorUrl, FilePath, OrOff, Ratio, SecretSource};

/// W3C trace context, and spans for a collector by OTLP. Without a collector a valid `traceparent` passes through as it came;
/// with one, what is behind us is told our span as its parent. The trace id stands in the log either way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Trace {
    /// Whether a trace is begun, sampled, for a request without one, although no spans are exported. Beware: a sampled parent
    /// overrules a sampler of the program that keeps only a part of all traces.
    pub(crate) begin: bool,

    /// The collector that spans are sent to, or `off`. Without a path, `/v1/traces` is added for `http/protobuf`.
    #[cfg_attr(test, schemars(extend(
        "x-default" = "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else `OTEL_EXPORTER_OTLP_ENDPOINT`, else none",
        "x-restart" = true,
        "examples" = ["http://127.0.0.1:4318"]
    )))]
    pub(crate) endpoint: Option<As<OrOff<CollectorUrl>>>,

    /// How spans are carried; else `OTEL_EXPORTER_OTLP_PROTOCOL`.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) protocol: OtlpProtocol,

    /// Headers of each request to the collector, as the key of a vendor; else `OTEL_EXPORTER_OTLP_HEADERS`.
    #[cfg_attr(test, schemars(extend("x-restart" = true, "examples" = [{ "api-key": { "file": "/run/secrets/collector-key" } }])))]
    pub(crate) headers: BTreeMap<String, As<SecretSource>>,

    /// How long one request to the collector may take; else `OTEL_EXPORTER_OTLP_TIMEOUT`.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) timeout: Time,

    /// The authorities, in PEM, whose certificates are believed besides the public ones.
    #[cfg_attr(test, schemars(extend(
        "x-default" = "`OTEL_EXPORTER_OTLP_CERTIFICATE`, else none",
        "x-restart" = true,
        "examples" = ["/etc/ssl/collector-ca.pem"]
    )))]
    pub(crate) ca_file: Option<As<FilePath>>,

    /// Which traces are kept, decided at the head of a request; else `OTEL_TRACES_SAMPLER`.
    pub(crate) sampler: TraceSampler,

    /// What part of all traces the samplers by ratio keep; else `OTEL_TRACES_SAMPLER_ARG`.
    pub(crate) ratio: As<Ratio>,

    /// Whether a request that fails (5xx) is exported though its trace is not sampled.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) on_error: bool,

    /// Attributes of all spans, besides `service.name`, `service.version` and `deployment.environment.name`; else
    /// `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
    #[cfg_attr(test, schemars(extend("x-restart" = true, "examples" = [{ "cloud.region": "eu-central-1" }])))]
    pub(crate) resource: BTreeMap<String, String>,

    /// How many spans may wait for the collector; what comes beyond is dropped and counted. Else `OTEL_BSP_MAX_QUEUE_SIZE`.
    #[cfg_attr(test, schemars(range(max = 1_000_000), extend("x-restart" = true)))]
    pub(crate) queue: NonZeroU32,

    /// How many spans are sent at once; else `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    #[cfg_attr(test, schemars(range(max = 100_000), extend("x-restart" = true)))]
    pub(crate) batch: NonZeroU32,

    /// How long a span waits for others; else `OTEL_BSP_SCHEDULE_DELAY`.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) delay: Time,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            begin: false,
            endpoint: None,
            protocol: OtlpProtocol::Http,
            headers: BTreeMap::new(),
            timeout: seconds(10),
            ca_file: None,
            sampler: TraceSampler::ParentbasedAlwaysOn,
            ratio: As(Ratio(1.0)),
            on_error: true,
            resource: BTreeMap::new(),
            queue: NonZeroU32::new(2048).expect("2048 is not 0"),
            batch: NonZeroU32::new(512).expect("512 is not 0"),
            delay: seconds(5),
        }
    }
}

/// How spans are carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) enum OtlpProtocol {
    /// One HTTP request a batch, by habit on port 4318.
    #[default]
    #[serde(rename = "http/protobuf")]
    Http,
    /// gRPC, by habit on port 4317.
    #[serde(rename = "grpc")]
    Grpc,
}

/// Which traces are kept. The names are those of OpenTelemetry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum TraceSampler {
    /// All.
    AlwaysOn,
    /// None, but those that fail.
    AlwaysOff,
    /// The part that `ratio` says, whatever a parent says.
    #[serde(rename = "traceidratio")]
    TraceIdRatio,
    /// As the parent says; all where there is none.
    #[default]
    ParentbasedAlwaysOn,
    /// As the parent says; none where there is none.
    ParentbasedAlwaysOff,
    /// As the parent says; the part that `ratio` says where there is none.
    #[serde(rename = "parentbased_traceidratio")]
    ParentbasedTraceIdRatio,
}

impl TraceSampler {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AlwaysOn => "always_on",
            Self::AlwaysOff => "always_off",
            Self::TraceIdRatio => "traceidratio",
            Self::ParentbasedAlwaysOn => "parentbased_always_on",
            Self::ParentbasedAlwaysOff => "parentbased_always_off",
            Self::ParentbasedTraceIdRatio => "parentbased_traceidratio",
        }
    }

    pub(crate) fn by_ratio(self) -> bool {
        matches!(self, Self::TraceIdRatio | Self::ParentbasedTraceIdRatio)
    }
}
