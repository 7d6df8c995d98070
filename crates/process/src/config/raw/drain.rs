//! The table `[drain]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;
use crate::config::units::{As, HookCommand};

/// From the signal to stop until the last request is done. `delay`, `timeout`, `stop.timeout` and one second to write out
/// logs must fit into `grace`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Drain {
    /// What the platform allows from its signal to its kill: `terminationGracePeriodSeconds` less `preStop`,
    /// `stop_grace_period`. systemd is told how long it takes, so that `TimeoutStopSec` need not be raised.
    #[cfg_attr(test, schemars(extend("x-default" = "30s under Kubernetes, else 10s", "examples" = ["30s"])))]
    pub(crate) grace: Option<Time>,

    /// How long the listener stays open after readiness failed, so that balancers look away before it closes.
    #[cfg_attr(test, schemars(extend("x-default" = "5s under Kubernetes, 0s on a terminal, else 2s500ms", "examples" = ["5s"])))]
    pub(crate) delay: Option<Time>,

    /// How long requests in flight may take after the listener is closed.
    #[cfg_attr(test, schemars(extend("x-default" = "what is left of `grace`", "examples" = ["14s"])))]
    pub(crate) timeout: Option<Time>,

    /// What requests get that come during `delay`.
    pub(crate) policy: DrainPolicy,

    /// Commands that run when the drain begins, beside it. Each may have a time limit of its own (2s if it says none).
    #[cfg_attr(test, schemars(extend("examples" = [[["./deregister.sh"], { "command": ["./pause-queue.sh"], "timeout": "3s" }]])))]
    pub(crate) on_start: Vec<As<HookCommand>>,

    /// Over how long WebSockets and event streams are closed, so that their clients do not all come back at once.
    #[cfg_attr(test, schemars(extend("x-default" = "half of `timeout`, at most 5s", "examples" = ["5s"])))]
    pub(crate) websocket_spread: Option<Time>,
}

/// What requests get that come while the listener is still open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DrainPolicy {
    /// They are served, and told to leave.
    #[default]
    Serve,
    /// 503 with `Connection: close` and `Retry-After`.
    Reject,
}
