//! The table `[metrics]`.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{As, Cidr};

/// Metrics at `/metrics` on the ops listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Metrics {
    /// The networks that may scrape `/metrics` on the public listener too; empty means nobody.
    #[schemars(extend("examples" = [["10.0.0.0/8"]]))]
    pub(crate) allow: Vec<As<Cidr>>,

    /// How many series a metric family may have. What comes beyond is counted, not stored.
    #[schemars(range(max = 10_000_000), extend("x-restart" = true))]
    pub(crate) max_series: NonZeroUsize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { allow: Vec::new(), max_series: NonZeroUsize::new(10_000).expect("10000 is not 0") }
    }
}
