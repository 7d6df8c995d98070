//! The commands that look at the configuration.

#![allow(clippy::doc_markdown, reason = "these comments are the words of --help")]

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Form;

/// Look at the configuration
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "Example:
  seaworthy config check && seaworthy config show")]
pub(crate) enum Config {
    Check(ConfigCheck),
    Show(ConfigShow),
    Schema(ConfigSchema),
    Sample(ConfigSample),
}

/// Say everything that is wrong with the configuration
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  seaworthy config check --config deploy/seaworthy.toml

Exit codes:
  0   it is valid, though there may be warnings
  2   usage
  64  it is invalid")]
pub(crate) struct ConfigCheck {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
}

/// Show the value of every key, and where it came from; secrets as ***
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  seaworthy config show
  seaworthy config show --format json | jq '.\"drain.delay\".value'

Exit codes:
  0   shown
  2   usage
  64  the configuration is invalid")]
pub(crate) struct ConfigShow {
    #[command(flatten)]
    pub(crate) file: ConfigFile,

    #[command(flatten)]
    pub(crate) form: Form,
}

/// Print the JSON Schema of the config file, for editors
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  seaworthy config schema > seaworthy.schema.json")]
pub(crate) struct ConfigSchema {}

/// Print a config file with every key: its meaning and its default
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  seaworthy config sample > seaworthy.toml")]
pub(crate) struct ConfigSample {}

/// Which config file is meant
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigFile {
    /// The config file [default: $SEAWORTHY_CONFIG, else seaworthy.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
