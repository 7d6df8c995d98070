//! The table `[require]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What must be there before the service is ready. While it is not, the process runs and is live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Require {
    /// Environment variables that must be set, and not empty, for the program. A check whose `url` is one that is not set fails,
    /// where it would otherwise be an error of the configuration.
    #[cfg_attr(test, schemars(extend("examples" = [["DATABASE_URL"]])))]
    pub(crate) env: Vec<String>,
}
