//! The table `[log]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Log lines on stdout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Log {
    /// The least level that is written. `seaworthy loglevel` changes it while running.
    #[cfg_attr(test, schemars(extend("x-default" = "`LOG_LEVEL`, else `debug` in development, else `info`", "examples" = ["info"])))]
    pub(crate) level: Option<Level>,

    /// How lines are written.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) format: LogFormat,

    /// Whether each request leaves a line.
    pub(crate) access: bool,

    /// Whether that line shows the query, with secrets redacted.
    pub(crate) query: bool,

    /// What happens when stdout does not take lines as fast as they come.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) on_full: OnFull,

    /// Names of headers and query parameters to redact, besides those that mean secrets everywhere. `*` stands for anything.
    #[cfg_attr(test, schemars(extend("examples" = [["*session*", "ssn"]])))]
    pub(crate) redact: Vec<String>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: None,
            format: LogFormat::Auto,
            access: true,
            query: false,
            on_full: OnFull::Drop,
            redact: Vec::new(),
        }
    }
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// Pretty on a terminal and in development, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// Aligned, for people.
    Pretty,
}

/// What happens when stdout does not take lines as fast as they come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnFull {
    /// Lines are dropped and counted; nothing ever waits for a log.
    #[default]
    Drop,
    /// The program waits; our own requests never do.
    Block,
}
