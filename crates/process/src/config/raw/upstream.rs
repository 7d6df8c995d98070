//! An entry of `[[upstream]]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{As, Target};

/// Something that answers HTTP and that somebody else started, or that the program opens besides a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Upstream {
    /// Where it answers: `http://host:port`, `h2c://host:port` or `unix:/path`.
    #[cfg_attr(test, schemars(extend("examples" = ["http://127.0.0.1:3000"])))]
    pub(crate) url: As<Target>,
}
