//! The commands that speak to what is running.

#![allow(clippy::doc_markdown, reason = "these comments are the words of --help")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::Form;
use crate::commands::ProbeTarget;
use crate::config::{Kind as _, Level};

/// Ask a probe: for a container's HEALTHCHECK
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  HEALTHCHECK CMD [\"/seaworthy\", \"probe\"]
  seaworthy probe ready --timeout 1s
  seaworthy probe http://127.0.0.1:8080/health/ready

The address is found as `seaworthy run` finds it: by --admin, environment and config file.

Exit codes:
  0  a good answer
  1  a bad one, or none in time
  2  usage")]
pub(crate) struct Probe {
    /// live, ready, startup, health, a path on the ops listener, or a URL
    #[arg(default_value = "live", value_name = "PROBE")]
    pub(crate) target: ProbeTarget,

    /// How long to wait for the answer
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Where the ops listener is, if not where the config says
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// How to find the running process
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reach {
    /// The config file of the running process [default: $SEAWORTHY_CONFIG, else seaworthy.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Its control socket [default: $SEAWORTHY_CONTROL, else as the config says]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
}

/// Show how a running Seaworthy is
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  seaworthy status
  seaworthy status --format json | jq .in_flight

Exit codes:
  0  it answered, however it is
  1  it cannot be reached
  2  usage")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) reach: Reach,

    #[command(flatten)]
    pub(crate) form: Form,
}

/// Drain a running Seaworthy and stop it, as SIGTERM does
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  seaworthy drain

It returns when the drain has begun.

Exit codes:
  0  the drain has begun
  1  it cannot be reached, or refused
  2  usage")]
pub(crate) struct Drain {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Hold new requests; those that run go on
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  seaworthy pause && ./migrate.sh; seaworthy resume

Exit codes:
  0  done
  1  it cannot be reached, or refused
  2  usage")]
pub(crate) struct Pause {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Let held requests go on
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  seaworthy resume

Exit codes:
  0  done
  1  it cannot be reached, or refused
  2  usage")]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Load the config again, and show what that changes
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  seaworthy reload

A config that is invalid is refused whole, and the old one stays in force.

Exit codes:
  0   the new config is in force
  1   it cannot be reached, or refused
  2   usage
  64  the new config is invalid")]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) reach: Reach,

    #[command(flatten)]
    pub(crate) form: Form,
}

/// Change the level of the log, for a while or until the next start
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  seaworthy loglevel debug --for 10m
  seaworthy loglevel info

Exit codes:
  0  done
  1  it cannot be reached, or refused
  2  usage")]
pub(crate) struct Loglevel {
    /// trace, debug, info, warn or error
    #[arg(value_parser = level)]
    pub(crate) level: Level,

    /// For how long; then the level of the config comes back
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) expires: Option<Duration>,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Say that something which a heartbeat check waits for is alive: a cron job, a backup, a worker
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  ./backup.sh && seaworthy heartbeat backup
  seaworthy heartbeat backup --took 12m
  seaworthy heartbeat backup --start; ./backup.sh; seaworthy heartbeat backup --exit-code $?

Exit codes:
  0  done
  1  it cannot be reached, or no check waits for it
  2  usage")]
pub(crate) struct Heartbeat {
    /// The name of the check
    pub(crate) name: String,

    /// How long the job took
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["start", "fail", "exit_code"])]
    pub(crate) took: Option<Duration>,

    /// It begins: how long it takes is measured from here
    #[arg(long, conflicts_with_all = ["fail", "exit_code"])]
    pub(crate) start: bool,

    /// It failed
    #[arg(long, conflicts_with = "exit_code")]
    pub(crate) fail: bool,

    /// How it ended: 0 is a success, anything else a failure
    #[arg(long, value_name = "CODE")]
    pub(crate) exit_code: Option<u8>,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Heartbeat {
    pub(crate) fn failed(&self) -> bool {
        self.fail || self.exit_code.is_some_and(|code| code != 0)
    }
}

/// Show the breakers of the services that the program calls, or close one
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  seaworthy breakers
  seaworthy breakers reset stripe

Exit codes:
  0  done
  1  it cannot be reached, or knows no such breaker
  2  usage"
)]
pub(crate) struct Breakers {
    #[command(subcommand)]
    pub(crate) action: Option<BreakerAction>,

    #[command(flatten)]
    pub(crate) reach: Reach,

    #[command(flatten)]
    pub(crate) form: Form,
}

/// What is to be done with a breaker
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BreakerAction {
    /// Close a breaker, and forget what it saw
    #[command(after_help = "Example:
  seaworthy breakers reset stripe

Exit codes:
  0  it is closed
  1  it cannot be reached, or knows no such breaker
  2  usage")]
    Reset {
        /// The name of the service
        name: String,

        #[command(flatten)]
        reach: Reach,
    },
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::read(&text.into()).map_err(|complaint| complaint.to_string())
}

/// As the config and `LOG_LEVEL` know it.
fn level(text: &str) -> Result<Level, String> {
    let level: seaworthy::core::event::Level = text.parse().map_err(|error| format!("{error}"))?;
    serde_json::from_value(level.name().into()).map_err(|error| error.to_string())
}
