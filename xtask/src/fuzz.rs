//! `cargo xtask fuzz`: every test whose name begins with `fuzz_`, for as long as one likes.

use clap::Args;

use crate::command;

/// What is fuzzed, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fuzzes the targets whose names contain this; all of them by default.
    #[arg(value_name = "TARGET", default_value = "fuzz_")]
    target: String,
    /// How long each target is driven.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// Drives them. A finding is kept among the seeds, where every later test tries it.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut cargo = command::cargo();
    cargo.args(["test", "--locked", "--workspace", "--no-fail-fast", "--lib", "--bins", "--test", "fuzz"]);
    cargo.arg(&options.target).args(["--", "--nocapture"]);
    // Arithmetic is checked in this profile, and overflow is a finding.
    cargo.env("FUZZ_SECONDS", options.seconds.to_string()).env("RUST_BACKTRACE", "0");
    command::run(&mut cargo)
}
