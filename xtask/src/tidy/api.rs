//! What the library offers changes only where somebody means it.

use super::Finding;
use super::tree::Tree;
use crate::api;

/// Another toolchain prints the same API in other words.
pub(super) fn unless() -> Option<String> {
    api::incomparable().ok().flatten()
}

/// So many changes are shown; the rest are seen in the list itself.
const SHOWN: usize = 20;

pub(super) fn check(_: &Tree) -> Vec<Finding> {
    let (added, removed) = match api::compare() {
        Err(error) => return vec![Finding::new(api::LIST, 1, format!("{error:#}"), "run `cargo xtask api`")],
        Ok(api::Difference { added, removed }) if added.is_empty() && removed.is_empty() => return Vec::new(),
        Ok(api::Difference { added, removed }) => (added, removed),
    };
    let mut what = format!("{} items added, {} removed", added.len(), removed.len());
    let removed = removed.iter().map(|(_, item)| format!("\n    - {item}"));
    let lines: Vec<String> = removed.chain(added.iter().map(|item| format!("\n    + {item}"))).collect();
    what.extend(lines.iter().take(SHOWN).map(String::as_str));
    if lines.len() > SHOWN {
        what.push_str("\n    …");
    }
    what.push_str("\n   ");
    vec![Finding::new(
        api::LIST,
        1,
        what,
        "if it is meant, run `cargo xtask api`, commit the list and say so in CHANGELOG.md",
    )]
}
