//! `cargo xtask test`: all that a change must pass, in one order, with the runners' own words.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::tally::Tally;
use crate::{bench, command, prerequisites, tidy};

/// What is done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// What the tests need is there, or is installed.
    Prerequisites,
    /// `cargo fmt --check`.
    Format,
    /// `cargo clippy`, where a warning is an error.
    Lints,
    /// `cargo test`: unit, integration and documentation tests.
    Tests,
    /// `cargo doc`, where a warning is an error.
    Documentation,
    /// `cargo xtask tidy`.
    Tidy,
    /// `cargo xtask bench --ceilings`.
    Ceilings,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Prerequisites => "prerequisites",
            Self::Format => "format",
            Self::Lints => "lints",
            Self::Tests => "tests",
            Self::Documentation => "documentation",
            Self::Tidy => "tidy",
            Self::Ceilings => "ceilings",
        }
    }

    fn run(self, tally: &mut Tally) -> Result<()> {
        match self {
            Self::Prerequisites => prerequisites::provide(),
            Self::Format => command::run(command::cargo().args(["fmt", "--all", "--check"])),
            Self::Lints => command::run(command::cargo().args([
                "clippy",
                "--locked",
                "--workspace",
                "--all-features",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])),
            Self::Tests => tests(tally),
            Self::Documentation => command::run(
                command::cargo()
                    .args(["doc", "--locked", "--workspace", "--all-features", "--no-deps"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Self::Tidy => tidy::run(None),
            Self::Ceilings => bench::hold_ceilings(),
        }
    }
}

/// How a step went.
struct Done {
    step: Step,
    took: Duration,
    result: Result<()>,
}

/// Runs every step, or `only` one, and goes on after a failure so that one run shows all of them.
pub(crate) fn run(only: Option<Step>) -> Result<()> {
    let mut tally = Tally::default();
    let mut all = Vec::new();
    for &step in Step::value_variants() {
        if only.is_some_and(|only| only != step) {
            continue;
        }
        println!("== {}", step.name());
        let began = Instant::now();
        let failed_before = tally.failed;
        let result = step.run(&mut tally);
        if let Err(error) = &result {
            eprintln!("{}: {error:#}", step.name());
            // A step may fail without a test that does: the last line must not look clean then.
            tally.failed += u64::from(tally.failed == failed_before);
        }
        let unusable = step == Step::Prerequisites && result.is_err();
        all.push(Done { step, took: began.elapsed(), result });
        if unusable {
            break;
        }
    }
    println!();
    for Done { step, took, result } in &all {
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{:<14} {verdict:<7} {:>7.1} s", step.name(), took.as_secs_f64());
    }
    println!("{tally}");
    let failed: Vec<_> = all.iter().filter(|done| done.result.is_err()).map(|done| done.step.name()).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Runs the tests, passes their output on as it comes, and adds up their results.
fn tests(tally: &mut Tally) -> Result<()> {
    let mut command = command::cargo();
    command.args(["test", "--locked", "--workspace", "--all-features", "--no-fail-fast"]).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {}", command::line(&command)))?;
    let stdout = child.stdout.take().context("the output of cargo test is piped")?;
    for line in BufReader::new(stdout).split(b'\n') {
        // A test may print what is not UTF-8; its verdict counts all the same.
        let line = line.context("cannot read the output of cargo test")?;
        let line = String::from_utf8_lossy(&line);
        tally.line(&line);
        writeln!(std::io::stdout().lock(), "{line}")?;
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{} ended with {status}", command::line(&command));
    }
    Ok(())
}
