//! The table `[trace]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// W3C trace context. A valid `traceparent` passes through as it came, and its trace id stands in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Trace {
    /// Whether a trace is begun, sampled, for a request without one. Beware: a sampled parent overrules a sampler of the
    /// program that keeps only a part of all traces.
    pub(crate) begin: bool,
}
