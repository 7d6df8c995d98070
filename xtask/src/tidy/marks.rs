//! Marks of what is left for later, and of tests that do not run.

use super::Finding;
use super::tree::Tree;

/// A mark, and what to do about it. Written in two parts, so that this file does not break its own rule.
const MARKS: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "do it, or write an issue"),
    (concat!("FIX", "ME"), "mend it, or write an issue"),
    (concat!("XX", "X"), "say what is meant, or mend it"),
    (concat!("todo", "!("), "write what is missing"),
    (concat!("unimplemented", "!("), "write what is missing"),
    (concat!("dbg", "!("), "take it out"),
    (concat!("<<<<", "<<<"), "finish the merge"),
    (concat!(">>>>", ">>>"), "finish the merge"),
    (concat!("#[ig", "nore"), "a test that does not run checks nothing: make it run, or take it out"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    // Cargo.lock is full of checksums, which may spell anything.
    let files = tree.files.iter().filter(|file| file.path != "Cargo.lock");
    let lines = files.flat_map(|file| file.lines().map(move |(number, line)| (file, number, line)));
    let found = lines.flat_map(|(file, number, line)| {
        marks(line).map(move |(mark, remedy)| Finding::new(&file.path, number, mark, remedy))
    });
    found.collect()
}

fn marks(line: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    MARKS.iter().copied().filter(move |(mark, _)| is_word(line, mark))
}

/// Whether `mark` stands in `line`, and not as a part of a longer word.
fn is_word(line: &str, mark: &str) -> bool {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(mark).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(inside);
        let after = line[at + mark.len()..].chars().next().is_some_and(inside);
        !before && (!after || mark.ends_with('('))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_words_and_not_parts_of_words() {
        let found = |line: &str| marks(line).next().is_some();
        assert!(found(concat!("// TO", "DO: later")));
        assert!(found(concat!("    #[ig", "nore = \"slow\"]")));
        assert!(found(concat!("dbg", "!(value)")));
        assert!(!found(concat!("MAS", "TODON")));
        assert!(!found(concat!("a_todo", "!(x)")));
    }
}
