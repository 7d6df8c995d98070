//! What is made from the sources and committed: the reference, schema and sample of the configuration, and the help.

use anyhow::{Result, bail};

use crate::command;

/// The tests that hold the committed documents against their sources, and write them when they are told to.
const TESTS: [&str; 2] =
    ["the_committed_documents_are_those_that_the_doc_comments_make", "the_committed_help_is_the_one_that_is_printed"];

/// Writes them.
pub(crate) fn write() -> Result<()> {
    compare(true)
}

/// Fails if they are out of date.
pub(crate) fn check() -> Result<()> {
    compare(false)
}

fn compare(write: bool) -> Result<()> {
    let mut cargo = command::cargo();
    cargo.args(["test", "--quiet", "--package", "seaworthy-cli", "--bin", "seaworthy", "--"]).args(TESTS);
    if write {
        cargo.env("UPDATE_DOCS", "1");
    }
    let said = command::read(&mut cargo)?;
    // A filter that matches nothing succeeds as well.
    if !said.contains(&format!("{} passed", TESTS.len())) {
        bail!("one of the tests {} is gone: its new name belongs into xtask/src/docs.rs", TESTS.join(" and "));
    }
    Ok(())
}
