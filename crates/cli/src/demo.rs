//! `seaworthy demo`: the whole thing with a built-in sample service.

mod sample;

use crate::cli::{Demo, Run};
use crate::commands::Output;
use crate::exit_code::ExitCode;

pub(crate) fn demo(demo: Demo, output: Output) -> ExitCode {
    let Demo { listen, admin } = demo;
    crate::run::run(Run { listen, admin, ..Run::default() }, output)
}
