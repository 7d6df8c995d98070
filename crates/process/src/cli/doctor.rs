//! `seaworthy doctor`.

#![allow(clippy::doc_markdown, reason = "these comments are the words of --help")]

use clap::Args;

use super::{ConfigFile, Form};

/// Run every check once, and say what to do about those that do not hold
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  seaworthy doctor
  seaworthy doctor --config production.toml --format json | jq '.checks[] | select(.status != \"ok\")'

Nothing is started but the commands of checks. Databases are only read.

Exit codes:
  0   everything holds, warnings aside
  1   something does not
  2   usage
  64  the config is invalid")]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) file: ConfigFile,

    #[command(flatten)]
    pub(crate) form: Form,
}
