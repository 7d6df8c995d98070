//! `seaworthy run`: all parts together.
//!
//! # The way through
//!
//! 1. [`start`] builds every part from the configuration: listeners first, so that nothing runs where an address is
//!    taken; then log, metrics, gateway, ops listener, control socket, and the program last.
//! 2. [`service`] is the loop that owns the state: signals, what the program does and what people ask for come in,
//!    changes of the lifecycle go out.
//! 3. [`stop`] ends it in order.
//!
//! One thread runs all of this; the workers of the gateway have threads of their own.

mod answer;
mod banner;
mod built;
mod hooks;
mod inputs;
mod panics;
mod parts;
mod reload;
mod service;
mod signals;
mod start;
mod stop;
mod upstream;

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub(crate) use self::inputs::Inputs;
use self::signals::Signals;
pub(crate) use self::start::missing;
use crate::cli::Run;
use crate::commands::Output;
use crate::config::{self, CommandLine};
use crate::exit_code::ExitCode;
use crate::supervise;

/// Runs a program behind us, until it or we are asked to stop.
pub(crate) fn run(arguments: Run, output: Output) -> ExitCode {
    serve(&Inputs::of_process(CommandLine::from(arguments)), output)
}

/// Runs what `inputs` describe.
pub(crate) fn serve(inputs: &Inputs, output: Output) -> ExitCode {
    // It changes the environment, which is safe for as long as there is one thread.
    let handed_over = match supervise::handed_over() {
        Ok(handed_over) => handed_over,
        Err(error) => return output.error(&error.to_string(), ExitCode::Failed),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.error(&format!("no runtime: {error}"), ExitCode::Failed),
    };
    runtime.block_on(async {
        // First of all: as PID 1 we are given no default for a signal, and a stop may be asked for during the start.
        let signals = match Signals::take() {
            Ok(signals) => signals,
            Err(error) => return output.error(&format!("signals cannot be handled: {error}"), ExitCode::Failed),
        };
        let loaded = match inputs.with(config::load) {
            Ok(loaded) => loaded,
            Err(problems) => return output.error(&problems.to_string(), ExitCode::Config),
        };
        if loaded.config.app.command.is_empty()
            && loaded.config.upstream.is_none()
            && loaded.config.checks.is_empty()
            && loaded.config.egress.is_empty()
        {
            let message = "nothing to run: name a program, as in `seaworthy run -- node server.js`, or set \
                           `app.command`, or forward to something that runs with `--upstream http://127.0.0.1:3000`";
            return output.error(message, ExitCode::Usage);
        }
        // A gateway holds two descriptors a request, and the usual soft limit of 1024 is for programs that use select.
        if let Err(error) = raise_descriptors() {
            output.warning(&format!("the limit on open files stays as it is: {error}"));
        }
        match start::start(inputs, loaded, handed_over, output) {
            Ok(started) => Box::pin(service::run(started, signals)).await,
            Err(error) => output.error(&error.to_string(), error.exit_code()),
        }
    })
}

fn raise_descriptors() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
