//! The commands that look at the audit trail.

#![allow(clippy::doc_markdown, reason = "these comments are the words of --help")]

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConfigFile, Form};

/// Look at the audit trail
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "Example:
  seaworthy audit verify")]
pub(crate) enum Audit {
    Verify(AuditVerify),
}

/// Find lines of the audit trail that were edited, taken out or cut off
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  seaworthy audit verify
  seaworthy audit verify audit.jsonl.1 audit.jsonl
  seaworthy audit verify --format json | jq .findings

Files that were moved away go first, in the order in which they were written. The key, if there is one, is that of the
config.

Exit codes:
  0   every line is as it was written
  1   something is wrong, or the trail cannot be read
  2   usage
  64  the config is invalid")]
pub(crate) struct AuditVerify {
    /// The files of the trail, oldest first [default: `audit.path` of the config]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) config: ConfigFile,

    #[command(flatten)]
    pub(crate) form: Form,
}
