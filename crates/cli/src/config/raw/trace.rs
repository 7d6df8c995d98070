//! The table `[trace]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// W3C trace context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Trace {
    /// Whether `traceparent` is continued, or begun where there is none. Off, it passes through untouched.
    pub(crate) enabled: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self { enabled: true }
    }
}
