//! The table `[stop]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;
use crate::config::units::{As, HookCommand, Signal};

/// How the program is stopped once its requests are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Stop {
    /// The signal that asks the program to stop; nginx wants `QUIT`.
    pub(crate) signal: As<Signal>,

    /// Who gets the signal.
    pub(crate) scope: StopScope,

    /// What is reserved of `drain.grace` for the program and the hooks here. The program may take all that is left; then it is
    /// killed.
    #[cfg_attr(test, schemars(extend("x-default" = "a third of `drain.grace`", "examples" = ["10s"])))]
    pub(crate) timeout: Option<Time>,

    /// Commands that run before the signal, one after another. Each may have a time limit of its own (2s if it says none).
    #[cfg_attr(test, schemars(extend("examples" = [[["./flush-cache.sh"]]])))]
    pub(crate) before: Vec<As<HookCommand>>,

    /// Commands that run when the program is gone, one after another.
    #[cfg_attr(test, schemars(extend("examples" = [[{ "command": ["./report.sh"], "timeout": "1s" }]])))]
    pub(crate) after: Vec<As<HookCommand>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: As(Signal::Term), scope: StopScope::Auto, timeout: None, before: Vec::new(), after: Vec::new() }
    }
}

/// Who gets the signal to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StopScope {
    /// The process, or its group when it is a shell or a package runner that would swallow the signal.
    #[default]
    Auto,
    /// The process that we started.
    Process,
    /// That process and all that it started.
    Group,
}
