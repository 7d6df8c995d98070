//! The command line: what there is, what it takes, and what `--help` says of it.
//!
//! A command stands here when it works, and not before. Each shows an example and documents its exit codes.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::commands;
use crate::config::{CommandLine, Kind as _, Level};

/// Runs the process: the command line says what it does, and how it ended comes back.
pub(crate) fn main() -> std::process::ExitCode {
    match Cli::try_parse() {
        Ok(cli) => commands::dispatch(cli).into(),
        Err(error) => {
            // Whoever closed our output wants no more of it.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(2).into()
        }
    }
}

/// Makes any HTTP service ready for production: one word in front of its start command.
#[derive(Debug, Parser)]
#[command(
    name = "seaworthy",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    after_help = "Examples:
  seaworthy run -- node server.js     start a service, and stand in front of it on port 8080
  seaworthy demo                      see it all with a built-in sample service
  seaworthy status                    look at what is running"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print nothing but errors and what was asked for
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Print help
    // The short form for both: the long one would print the same with twice the lines.
    #[arg(long, short, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Demo(Demo),
    Probe(Probe),
    Status(Status),
    Drain(Drain),
    Pause(Pause),
    Resume(Resume),
    Reload(Reload),
    Loglevel(Loglevel),
    #[command(subcommand)]
    Config(Config),
    Completions(Completions),
}

/// Start a program, stand in front of it, watch it, and stop it in order
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Examples:
  seaworthy run -- node server.js
  seaworthy run --listen :80 --admin :9090 -- gunicorn app:app --bind 127.0.0.1:{port}
  seaworthy run --upstream http://127.0.0.1:3000

{port} in an argument becomes the program's port, which PORT in its environment holds too.

Exit codes:
  0    stopped in order
  1    the stop was forced or failed
  2    usage
  64   the configuration is invalid
  65   an address is in use
  69   gave up on a dependency of the start
  70   the program did not become ready
  126  the program cannot be executed
  127  the program was not found
  Otherwise the program's own, or 128 + the signal that ended it.")]
pub(crate) struct Run {
    /// The config file [default: $SEAWORTHY_CONFIG, else seaworthy.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where the public is served [default: 0.0.0.0:$PORT, else 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,

    /// Where probes and metrics are served, or "off" [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,

    /// The port that the program listens on, or "false" for a program without HTTP [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) app_port: Option<String>,

    /// Forward to something that is already running, instead of starting it
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Vec<String>,

    /// The program and its arguments, passed on unchanged: no shell is run
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

impl From<Run> for CommandLine {
    fn from(run: Run) -> Self {
        let Run { config, listen, admin, app_port, upstream, command } = run;
        Self { config, listen, admin, app_port, upstream, command }
    }
}

/// Run the whole thing with a built-in sample service; nothing to install
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Examples:
  seaworthy demo
  seaworthy demo --listen 127.0.0.1:0 --admin 127.0.0.1:0     on free ports, which are printed

Exit codes:
  As of `seaworthy run`.")]
pub(crate) struct Demo {
    /// Where the public is served [default: 0.0.0.0:$PORT, else 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,

    /// Where probes and metrics are served [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,
}

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
    pub(crate) target: commands::ProbeTarget,

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
    /// The config file [default: $SEAWORTHY_CONFIG, else seaworthy.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
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
    /// The config file [default: $SEAWORTHY_CONFIG, else seaworthy.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

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

/// Print the completions of a shell
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  seaworthy completions bash > /etc/bash_completion.d/seaworthy
  seaworthy completions fish > ~/.config/fish/completions/seaworthy.fish")]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: Shell,
}

/// In which form results are printed
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Form {
    /// text or json [default: text on a terminal, json elsewhere]
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(crate) format: Option<OutputFormat>,
}

/// In which form results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Text,
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::read(&text.into()).map_err(|complaint| complaint.to_string())
}

/// As the config and `LOG_LEVEL` know it.
fn level(text: &str) -> Result<Level, String> {
    let level: seaworthy::core::event::Level = text.parse().map_err(|error| format!("{error}"))?;
    serde_json::from_value(level.name().into()).map_err(|error| error.to_string())
}
