//! The table `[request-id]`.

use http::HeaderName;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::As;

/// The id that a request carries through logs, answers and the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RequestId {
    /// Whose ids are kept. Others are replaced.
    pub(crate) trust: Trust,

    /// The version of the UUID that is given to a request without an id.
    pub(crate) format: IdFormat,

    /// The header that carries it.
    pub(crate) header: As<HeaderName>,
}

impl Default for RequestId {
    fn default() -> Self {
        Self { trust: Trust::Anyone, format: IdFormat::V7, header: As(HeaderName::from_static("x-request-id")) }
    }
}

/// Whose request ids are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trust {
    /// Everybody's, if they are well-formed.
    #[default]
    Anyone,
    /// Those that come through `trusted-proxies`.
    Proxies,
}

/// The version of a UUID.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IdFormat {
    /// Ordered by time.
    #[default]
    V7,
    /// Random.
    V4,
}
