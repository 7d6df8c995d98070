//! The command line: what there is, what it takes, and what `--help` says of it.
//!
//! A command stands here when it works, and not before. Each shows an example and documents its exit codes.

mod audit;
mod config;
mod doctor;
mod running;
mod start;
#[cfg(test)]
mod tests;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use self::audit::{Audit, AuditVerify};
pub(crate) use self::config::{Config, ConfigFile};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::running::{
    BreakerAction, Breakers, Drain, Heartbeat, Loglevel, Pause, Probe, Reach, Reload, Resume, Status,
};
pub(crate) use self::start::{Demo, Run};
use crate::commands;

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
    Doctor(Doctor),
    Status(Status),
    Drain(Drain),
    Pause(Pause),
    Resume(Resume),
    Reload(Reload),
    Loglevel(Loglevel),
    Heartbeat(Heartbeat),
    Breakers(Breakers),
    Drill(Box<seaworthy_drill::Arguments>),
    #[command(subcommand)]
    Audit(Audit),
    #[command(subcommand)]
    Config(Config),
    Completions(Completions),
}

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
