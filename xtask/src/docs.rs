//! What is made from the sources and committed: the reference, schema and sample of the configuration.

use anyhow::{Result, bail};

use crate::command;

/// The test that holds the committed documents against the doc comments, and writes them when it is told to.
const TEST: &str = "the_committed_documents_are_those_that_the_doc_comments_make";

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
    cargo.args(["test", "--quiet", "--package", "seaworthy-cli", "--bin", "seaworthy", TEST]);
    if write {
        cargo.env("UPDATE_DOCS", "1");
    }
    let said = command::read(&mut cargo)?;
    // A filter that matches nothing succeeds as well.
    if !said.contains("1 passed") {
        bail!("no test {TEST}: its new name belongs into xtask/src/docs.rs");
    }
    Ok(())
}
