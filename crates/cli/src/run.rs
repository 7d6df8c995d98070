//! `seaworthy run`: all parts together.

mod built;
mod signals;
mod upstream;

use crate::cli::Run;
use crate::commands::Output;
use crate::config::{self, Sources};
use crate::exit_code::ExitCode;

pub(crate) fn run(arguments: Run, output: Output) -> ExitCode {
    match config::load(&Sources::of_process(arguments.into())) {
        Ok(_) => output.error("nothing to run yet", ExitCode::Failed),
        Err(problems) => output.error(&problems.to_string(), ExitCode::Config),
    }
}
