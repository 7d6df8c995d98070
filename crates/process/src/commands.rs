//! The commands that speak to a running Seaworthy, or look at its files.
//!
//! They are short-lived and blocking; none of them starts a runtime.

mod audit;
mod breakers;
mod config;
mod doctor;
mod find;
mod output;
mod probe;
mod reload;
mod status;
mod tell;

use clap::CommandFactory as _;

pub(crate) use self::output::Output;
pub(crate) use self::probe::ProbeTarget;

use crate::cli::{Cli, Command, Completions};
use crate::control;
use crate::exit_code::ExitCode;

/// Carries out a command line, and says how it ended.
pub(crate) fn dispatch(cli: Cli) -> ExitCode {
    let output = Output::of_process(cli.quiet);
    match cli.command {
        Command::Run(run) => crate::run::run(run, output),
        Command::Demo(demo) => crate::demo::demo(demo, output),
        Command::Probe(probe) => probe::probe(&probe, output),
        Command::Doctor(doctor) => doctor::doctor(&doctor, output),
        Command::Status(status) => status::status(&status, output),
        Command::Drain(drain) => tell::tell(&drain.reach, &control::Command::Drain, output),
        Command::Pause(pause) => tell::tell(&pause.reach, &control::Command::Pause, output),
        Command::Resume(resume) => tell::tell(&resume.reach, &control::Command::Resume, output),
        Command::Reload(reload) => reload::reload(&reload, output),
        Command::Loglevel(loglevel) => {
            let command = control::Command::LogLevel { level: loglevel.level, expires: loglevel.expires };
            tell::tell(&loglevel.reach, &command, output)
        }
        Command::Breakers(breakers) => breakers::breakers(&breakers, output),
        Command::Heartbeat(beat) => {
            let sign = match (beat.start, beat.failed()) {
                (true, _) => control::Sign::Start,
                (false, true) => control::Sign::Failure,
                (false, false) => control::Sign::Success,
            };
            let (took, code) = (beat.took, beat.exit_code.filter(|code| *code != 0));
            let command = control::Command::Heartbeat { name: beat.name, sign, took, code };
            tell::tell(&beat.reach, &command, output)
        }
        Command::Drill(mut drill) => {
            drill.quiet |= cli.quiet;
            seaworthy_drill::run(&drill).into()
        }
        Command::Audit(command) => audit::audit(&command, output),
        Command::Config(config) => config::config(&config, output),
        Command::Completions(completions) => complete(&completions, output),
    }
}

fn complete(completions: &Completions, output: Output) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "seaworthy", &mut script);
    output.result(&String::from_utf8_lossy(&script))
}
