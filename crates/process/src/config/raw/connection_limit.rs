//! The table `[connection-limit]`.

use std::num::NonZeroU32;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{As, OrOff};

/// How many connections clients may have open at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ConnectionLimit {
    /// In all.
    pub(crate) total: NonZeroU32,

    /// From one client address, or `off`. Behind a balancer that is not in `trusted-proxies` everybody is one address.
    #[cfg_attr(test, schemars(extend("examples" = [100])))]
    pub(crate) per_address: As<OrOff<NonZeroU32>>,
}

impl Default for ConnectionLimit {
    fn default() -> Self {
        Self { total: NonZeroU32::new(10_000).expect("10000 is not 0"), per_address: As(OrOff::Off) }
    }
}
