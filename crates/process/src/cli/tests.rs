//! The command line as people see it: its help word for word, its examples, its mistakes.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Command as Clap, CommandFactory as _, Parser as _};

use super::*;
use crate::config::{CommandLine, Level};

/// Every command that can be run or asked for help, with its name in full.
fn commands() -> Vec<(String, Clap)> {
    fn visit(name: &str, command: &Clap, all: &mut Vec<(String, Clap)>) {
        let named = command.clone().bin_name(name).display_name(name);
        all.push((name.to_owned(), named.term_width(100).disable_help_subcommand(true)));
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            visit(&format!("{name} {}", command.get_name()), command, all);
        }
    }
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut all = Vec::new();
    visit("seaworthy", &root, &mut all);
    all
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definitions_agree_with_each_other() {
    Cli::command().debug_assert();
}

/// `UPDATE_DOCS=1` writes it instead, which is what `cargo xtask docs` does.
#[test]
fn the_committed_help_is_the_one_that_is_printed() {
    let mut made = "# The command line\n\nWhat `--help` prints, for every command.\n".to_owned();
    for (name, mut command) in commands() {
        let help = command.render_help().to_string();
        let lines: Vec<_> = help.lines().map(str::trim_end).collect();
        let _ = write!(made, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).expect("docs/reference can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/reference/cli.md is out of date: run `cargo xtask docs`");
}

#[test]
fn every_command_shows_an_example() {
    for (name, mut command) in commands() {
        let help = command.render_help().to_string();
        assert!(help.contains("Example:\n") || help.contains("Examples:\n"), "{name}: {help}");
    }
}

#[test]
fn every_example_can_be_run_as_it_stands() {
    for (name, command) in commands() {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in after.lines().map(str::trim).filter(|line| line.starts_with("seaworthy ")) {
            // Up to what the shell would do with it, or the comment beside it.
            let line = line.split(['|', '>', '&', ';', '(']).next().unwrap_or_default();
            let line = line.split("   ").next().unwrap_or_default();
            let parsed = parse(line);
            assert!(parsed.is_ok(), "{name}: {line}: {}", parsed.map(|_| ()).unwrap_err());
        }
    }
}

#[test]
fn what_follows_the_dashes_is_the_programs_own() {
    let cli = parse("seaworthy run --listen :80 --upstream http://a --upstream http://b -- node --quiet -h").unwrap();
    let Command::Run(run) = cli.command else { panic!("run") };
    assert!(!cli.quiet);
    let line = CommandLine::from(run);
    assert_eq!(line.listen.as_deref(), Some(":80"));
    assert_eq!(line.upstream, ["http://a", "http://b"]);
    assert_eq!(line.command, ["node", "--quiet", "-h"]);
}

#[test]
fn mistakes_end_with_2_and_quote_what_was_wrong() {
    for (line, quoted) in [
        ("seaworthy", "Usage"),
        ("seaworthy rum", "rum"),
        ("seaworthy run node", "node"),
        ("seaworthy probe liveness", "liveness"),
        ("seaworthy probe --timeout 3", "did you mean \"3s\""),
        ("seaworthy loglevel loud", "loud"),
        ("seaworthy config", "Usage"),
        ("seaworthy status --format xml", "xml"),
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(quoted), "{line}: {error}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for line in ["seaworthy --help", "seaworthy --version", "seaworthy probe --help"] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 0, "{line}");
    }
}

#[test]
fn a_level_is_read_as_the_environment_variable_is() {
    let Command::Loglevel(loglevel) = parse("seaworthy loglevel WARNING --for 1m30s").unwrap().command else {
        panic!("loglevel")
    };
    assert_eq!((loglevel.level, loglevel.expires), (Level::Warn, Some(Duration::from_secs(90))));
}
