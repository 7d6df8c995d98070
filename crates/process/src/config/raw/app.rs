//! The table `[app]`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, seconds};
use crate::config::units::{AppPort, Argv, As, FilePath, SecretSource, Signal, UrlPath, User};

/// The program that we start and stand in front of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct App {
    /// The program and its arguments; no shell is run. `{port}` in an argument becomes the port it is to listen on.
    /// What follows `--` on the command line takes its place.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "x-restart" = true, "examples" = [["node", "server.js"]])))]
    pub(crate) command: Option<As<Argv>>,

    /// The port on which the program listens, if it cannot take the one in `PORT`; `false` for a worker without HTTP.
    #[cfg_attr(test, schemars(extend("x-default" = "a free one, handed over as `PORT`", "x-restart" = true, "examples" = [3000])))]
    pub(crate) port: Option<As<AppPort>>,

    /// A path of the program that must answer 2xx before it counts as ready.
    #[cfg_attr(test, schemars(extend("x-default" = "none: listening is enough", "examples" = ["/ready"])))]
    pub(crate) ready_path: Option<As<UrlPath>>,

    /// A path of the program that is asked to find out whether it hangs. A program that hangs is restarted.
    #[cfg_attr(test, schemars(extend("x-default" = "none: a hang is not looked for", "examples" = ["/live"])))]
    pub(crate) live_path: Option<As<UrlPath>>,

    /// How many times in a row `live-path` must fail, while no other request completes, before the program counts as hung.
    pub(crate) live_failures: NonZeroU32,

    /// How often `live-path` is asked; also how long it may take to answer.
    pub(crate) live_interval: Time,

    /// A signal for the program when a drain begins, so that its background work winds down while requests still run.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["USR1"])))]
    pub(crate) drain_signal: Option<As<Signal>>,

    /// Environment variables for the program, besides those that we were started with. A value is text, `{ env = "NAME" }`
    /// or `{ file = "/run/secrets/name" }`.
    #[cfg_attr(test, schemars(extend("x-restart" = true, "examples" = [{ "DATABASE_URL": { "file": "/run/secrets/database-url" } }])))]
    pub(crate) env: BTreeMap<String, As<SecretSource>>,

    /// The directory that the program runs in.
    #[cfg_attr(test, schemars(extend("x-default" = "ours", "x-restart" = true, "examples" = ["/srv/app"])))]
    pub(crate) cwd: Option<As<FilePath>>,

    /// Who the program runs as: `user` or `user:group`, by name or by number. Needs the privilege to switch.
    #[cfg_attr(test, schemars(extend("x-default" = "ourselves", "x-restart" = true, "examples" = ["10001:10001"])))]
    pub(crate) user: Option<As<User>>,

    /// What the program speaks.
    pub(crate) protocol: Protocol,
}

impl Default for App {
    fn default() -> Self {
        Self {
            command: None,
            port: None,
            ready_path: None,
            live_path: None,
            live_failures: NonZeroU32::new(3).expect("3 is not 0"),
            live_interval: seconds(5),
            drain_signal: None,
            env: BTreeMap::new(),
            cwd: None,
            user: None,
            protocol: Protocol::Auto,
        }
    }
}

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// HTTP/1.1, except that gRPC which came over HTTP/2 goes on over h2c.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 without TLS, with prior knowledge.
    H2c,
}
