//! What the answer of an open breaker costs.

use anyhow::{Context as _, Result, bail};

use crate::command;

/// Nanoseconds that an open breaker may take to answer.
const CEILING: f64 = 200.0;

/// Runs the example of the library, prints what it measured, and holds the ceiling.
pub(super) fn measure(name: &str) -> Result<()> {
    let run = ["run", "--release", "--quiet", "--package", "seaworthy", "--example", "breaker_cost"];
    let printed = command::read(command::cargo().args(run))?;
    println!("{name}\n{printed}");
    let open = printed.lines().find_map(|line| line.strip_prefix("open ")?.trim().parse::<f64>().ok());
    let open = open.context("the example says nothing of an open breaker")?;
    if open > CEILING {
        bail!("an open breaker takes {open} ns to answer; at most {CEILING} are allowed");
    }
    Ok(())
}
