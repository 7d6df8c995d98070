//! The drill: rehearses start, load, deploy, failure and shutdown against any HTTP service, and says which promises of
//! production do not hold.
//!
//! It judges from outside, with a client of its own that sees bytes and resets, and knows nothing of what it judges.
//! A promise is a row of the [`catalogue`]; a rehearsal plays a scene with fresh instances and judges the promises
//! that the scene shows. What could not be tried is reported as not proven or as an error, never as a pass.
//!
//! # In production
//!
//! Meant for a developer's machine and for pipelines. It starts, signals and kills the program that it is given, and
//! sends requests to loopback, or to the address on the command line, and nowhere else.

use std::ffi::OsString;
use std::process::ExitCode;

pub mod catalogue;
mod cli;
pub mod client;
mod context;
mod explain;
mod exposition;
pub mod finding;
pub mod load;
mod plan;
mod program;
mod progress;
mod pulse;
mod rehearse;
pub mod report;
mod runner;
mod secrets;
mod settings;
mod survey;
mod timeline;
mod toxic;
mod traffic;
mod units;
mod waiver;

pub use cli::{Arguments, Ending, run};

/// Parses `args` (without the program's name) and holds the drill.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    use clap::Parser;

    let name = OsString::from("seaworthy drill");
    match Arguments::try_parse_from(std::iter::once(name).chain(args)) {
        Ok(arguments) => run(&arguments).into(),
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { Ending::Usage.into() } else { ExitCode::SUCCESS }
        }
    }
}
