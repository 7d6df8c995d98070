//! `seaworthy config`: the configuration, without running anything.

use super::output::{Output, Tone};
use crate::cli::{Config, ConfigFile, OutputFormat};
use crate::config::{self, CommandLine, Format, Loaded, Sources};
use crate::exit_code::ExitCode;

pub(super) fn config(command: &Config, output: Output) -> ExitCode {
    match command {
        Config::Check(check) => match load(&check.file, output) {
            Ok(loaded) => output.done(&valid(&loaded, output)),
            Err(code) => code,
        },
        Config::Show(show) => match load(&show.file, output) {
            Ok(loaded) => output.result(&config::show(
                &loaded,
                match output.form(show.form) {
                    OutputFormat::Text => Format::Text,
                    OutputFormat::Json => Format::Json,
                },
            )),
            Err(code) => code,
        },
        Config::Schema(_) => output.result(config::schema()),
        Config::Sample(_) => output.result(&config::sample()),
    }
}

/// Loads it and prints what is wrong, or unwise.
pub(super) fn load(file: &ConfigFile, output: Output) -> Result<Loaded, ExitCode> {
    let command_line = CommandLine { config: file.config.clone(), ..CommandLine::default() };
    match config::load(&Sources::of_process(command_line)) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                output.warning(&warning.to_string());
            }
            Ok(loaded)
        }
        Err(problems) => Err(output.error(&problems.to_string(), ExitCode::Config)),
    }
}

fn valid(loaded: &Loaded, output: Output) -> String {
    let source = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "the configuration (no file)".to_owned(),
    };
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        1 => ", with a warning".to_owned(),
        count => format!(", with {count} warnings"),
    };
    format!("{source} {}{warnings}", output.paint(Tone::Good, "is valid"))
}
