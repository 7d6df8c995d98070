//! What is made from the sources and committed: the reference, schema and sample of the configuration, the help, and the
//! reference of the drill's checks.

use anyhow::{Result, bail};

use crate::command;

/// The tests that hold the committed documents against their sources, and write them when they are told to: where each
/// stands, and its name.
const TESTS: [(&[&str], &str); 3] = [
    (&["--package", "seaworthy-process", "--lib"], "the_committed_documents_are_those_that_the_doc_comments_make"),
    (&["--package", "seaworthy-process", "--lib"], "the_committed_help_is_the_one_that_is_printed"),
    (&["--package", "seaworthy-drill", "--lib"], "the_reference_in_the_docs_is_what_the_catalogue_says"),
];

/// Writes them.
pub(crate) fn write() -> Result<()> {
    compare(true)
}

/// Fails if they are out of date.
pub(crate) fn check() -> Result<()> {
    compare(false)
}

fn compare(write: bool) -> Result<()> {
    for (place, test) in TESTS {
        let mut cargo = command::cargo();
        cargo.args(["test", "--quiet"]).args(place).arg(test);
        if write {
            cargo.env("UPDATE_DOCS", "1");
        }
        let said = command::read(&mut cargo)?;
        // A filter that matches nothing succeeds as well.
        if !said.contains("1 passed") {
            bail!("no test {test}: its new name belongs into xtask/src/docs.rs");
        }
    }
    Ok(())
}
