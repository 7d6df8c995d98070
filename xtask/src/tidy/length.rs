//! How long a source file may be.

use super::Finding;
use super::tree::Tree;

const LIMIT: usize = 500;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let long = tree.rust().map(|file| (file, file.text.lines().count())).filter(|(_, lines)| *lines > LIMIT);
    let remedy = format!("one noun a file, {LIMIT} lines at most: split it, or move its tests to a sibling");
    long.map(|(file, lines)| Finding::new(&file.path, LIMIT + 1, format!("{lines} lines"), &remedy)).collect()
}
