//! What the library offers changes only where somebody means it.

use super::Finding;
use super::tree::Tree;
use crate::api;

/// Another toolchain prints the same API in other words.
pub(super) fn unless() -> Option<String> {
    api::incomparable().ok().flatten()
}

pub(super) fn check(_: &Tree) -> Vec<Finding> {
    let remedy = "if it is meant, run `cargo xtask api`, commit the list and say so in CHANGELOG.md";
    match api::compare() {
        Err(error) => vec![Finding::new(api::LIST, 1, format!("{error:#}"), "run `cargo xtask api`")],
        Ok(api::Difference { added, removed }) => {
            let removed = removed.into_iter().map(|(line, item)| (line, format!("removed: {item}")));
            let added = added.into_iter().map(|item| (1, format!("added: {item}")));
            removed.chain(added).map(|(line, what)| Finding::new(api::LIST, line, what, remedy)).collect()
        }
    }
}
