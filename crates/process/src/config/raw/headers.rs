//! The table `[headers]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Security headers on the answers of the program. What the program set itself stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Headers {
    /// Which headers are added.
    pub(crate) preset: HeaderPreset,
}

/// A set of security headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HeaderPreset {
    /// Only what breaks nothing: `X-Content-Type-Options`, `Referrer-Policy`; `Server` and `X-Powered-By` are removed.
    #[default]
    Default,
    /// For a JSON API: nothing may be framed, loaded or sniffed.
    Api,
    /// For pages: a content security policy and its companions.
    Web,
    /// What Helmet 8 sends.
    Helmet,
    /// The strictest, as on our own answers.
    Strict,
    /// None, and none removed.
    Off,
}
