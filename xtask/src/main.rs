//! The only task runner: `cargo xtask test | tidy | docs | api | bench | fuzz`.

mod api;
mod bench;
mod command;
mod docs;
mod fuzz;
mod prerequisites;
mod tally;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that a change must pass: prerequisites, format, lints, tests, documentation, tidy, ceilings.
    Test {
        /// Runs this step alone.
        #[arg(long, value_name = "STEP")]
        only: Option<test::Step>,
    },
    /// The rules of the house that no compiler knows.
    Tidy {
        /// Holds this rule alone.
        #[arg(long, value_name = "RULE")]
        only: Option<String>,
    },
    /// Writes anew what is made from the sources: reference, schema and sample of the configuration, and the help.
    Docs,
    /// Writes anew what the library offers, one public item a line, and shows what has changed: run it when the change is meant.
    Api,
    /// CPU time a request against nginx, HAProxy and a TCP relay that do the same work.
    Bench(bench::Options),
    /// Parsers against inputs that are nearly right, made from the seeds under fuzz/seeds.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test { only } => test::run(only),
        Task::Tidy { only } => tidy::run(only.as_deref()),
        Task::Docs => docs::write(),
        Task::Api => api::write(),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
