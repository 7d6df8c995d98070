//! The table `[start]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, seconds};

/// From the start of the program until it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Start {
    /// How long the program may take until it listens and `app.ready-path` answers 2xx; after that we stop, with exit code 70.
    pub(crate) timeout: Time,

    /// How long a request that comes before the first start is complete waits for it. `0s` answers 503 at once.
    pub(crate) hold: Time,

    /// How long a request that comes while a program that died is restarted waits for it.
    pub(crate) hold_after_crash: Time,
}

impl Default for Start {
    fn default() -> Self {
        Self { timeout: seconds(60), hold: seconds(0), hold_after_crash: seconds(5) }
    }
}
