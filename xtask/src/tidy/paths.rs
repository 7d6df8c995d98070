//! Paths of the machine that a file was written on.

use super::Finding;
use super::tree::Tree;

/// Directories of somebody's own machine. In two parts each, so that this file does not break its own rule.
const DIRECTORIES: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Who may have a home in an example.
const ANYBODY: &[&str] = &["me/", "app/", "user/"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter().filter(|file| file.path != "Cargo.lock");
    let lines = files.flat_map(|file| file.lines().map(move |(number, line)| (file, number, line)));
    let found = lines.filter_map(|(file, number, line)| {
        let path = foreign(line)?;
        Some(Finding::new(&file.path, number, format!("{path} is a directory of one machine"), "name no machine"))
    });
    found.collect()
}

/// The directory that `line` names, if it begins a path there: `/srv/work/` and `https://host/home/` do not.
fn foreign(line: &str) -> Option<&'static str> {
    DIRECTORIES.iter().copied().find(|directory| {
        line.match_indices(directory).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let inside = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '}' | '/' | '~');
            let example = ANYBODY.iter().any(|name| line[at + directory.len()..].starts_with(name));
            !before.is_some_and(inside) && !example
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_found_and_parts_of_others_are_not() {
        assert!(foreign(concat!("see /wo", "rk/main")).is_some());
        assert!(foreign(concat!("cd=\"/ho", "me/jane/x\"")).is_some());
        assert_eq!(foreign(concat!("https://example.com/ho", "me/page")), None);
        assert_eq!(foreign(concat!("STATE=/ho", "me/me/.state")), None);
        assert_eq!(foreign(concat!("./target/wo", "rk/")), None);
    }
}
