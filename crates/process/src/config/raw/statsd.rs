//! The table `[statsd]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{As, Bind};

/// Metrics that the program sends by `StatsD` or `DogStatsD`; they are shown at `/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StatsD {
    /// Where packets are received: a UDP address as `host:port` or a port on loopback, or `unix:/path` for datagrams.
    #[cfg_attr(test, schemars(extend("x-default" = "nowhere", "x-restart" = true, "examples" = ["127.0.0.1:8125"])))]
    pub(crate) listen: Option<As<Bind>>,
}
