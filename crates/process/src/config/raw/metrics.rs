//! The table `[metrics]`.

use std::num::NonZeroUsize;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, seconds};
use crate::config::units::{As, Cidr, UrlPath};

/// Metrics at `/metrics` on the ops listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Metrics {
    /// The networks that may scrape `/metrics` on the public listener too; empty means nobody.
    #[cfg_attr(test, schemars(extend("examples" = [["10.0.0.0/8"]])))]
    pub(crate) allow: Vec<As<Cidr>>,

    /// Where the program shows metrics of its own, as in `/metrics`. They are fetched when ours are asked for, and shown beside
    /// them; a family whose name is taken comes as `app_` and its name.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["/metrics"])))]
    pub(crate) scrape: Option<As<UrlPath>>,

    /// How long the program has for that. Keep it well below the `scrape_timeout` of your Prometheus.
    pub(crate) scrape_timeout: Time,

    /// How many series a metric family may have. What comes beyond is counted, not stored.
    #[cfg_attr(test, schemars(range(max = 10_000_000), extend("x-restart" = true)))]
    pub(crate) max_series: NonZeroUsize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            scrape: None,
            scrape_timeout: seconds(1),
            max_series: NonZeroUsize::new(10_000).expect("10000 is not 0"),
        }
    }
}
