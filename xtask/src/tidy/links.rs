//! Links between documents: to files that are there, and to headings that they have.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let anchors: BTreeMap<_, _> = tree.markdown().map(|file| (file.path.as_str(), anchors(&file.text))).collect();
    let mut findings = Vec::new();
    for file in tree.markdown() {
        for (line, target) in links(&file.text) {
            if let Some(what) = dead(tree, &anchors, file, target) {
                findings.push(Finding::new(&file.path, line, what, "mend the link"));
            }
        }
    }
    findings
}

/// Why `target` leads nowhere, if it does.
fn dead(tree: &Tree, anchors: &BTreeMap<&str, Vec<String>>, from: &File, target: &str) -> Option<String> {
    // Links out of the repository are not followed: a test must not depend on somebody else's server.
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { from.path.clone() } else { resolve(&from.path, path) };
    if !tree.root.join(&path).exists() {
        return Some(format!("there is no {path}"));
    }
    let anchor = anchor?;
    match anchors.get(path.as_str()) {
        Some(known) if known.iter().any(|known| known == anchor) => None,
        Some(_) => Some(format!("{path} has no heading #{anchor}")),
        None => None,
    }
}

/// `link`, as it stands in the file at `from`, seen from the root.
fn resolve(from: &str, link: &str) -> String {
    let mut path = PathBuf::new();
    let directory = Path::new(from).parent().unwrap_or(Path::new(""));
    for component in directory.join(link).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path.to_string_lossy().into_owned()
}

/// The lines of `text` outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of `[text](target)`, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Odd parts stand between backticks: code, where brackets mean nothing.
        for part in line.split('`').step_by(2) {
            let targets = part.match_indices("](").filter_map(|(at, _)| part[at + 2..].split_once(')'));
            found.extend(targets.map(|(target, _)| (number, target.split_whitespace().next().unwrap_or_default())));
        }
    }
    found
}

/// The anchors that a reader's headings get, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        let anchor = heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
        let repeated = anchors.iter().filter(|known| **known == anchor).count();
        anchors.push(if repeated == 0 { anchor } else { format!("{anchor}-{repeated}") });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_prose_and_not_in_code() {
        let text = "see [a](b.md#c) and [d](e)\n```\n[no](x)\n```\n`[no](y)` [f](g \"title\")";
        assert_eq!(links(text), [(1, "b.md#c"), (1, "e"), (5, "g")]);
    }

    #[test]
    fn anchors_are_those_that_github_makes() {
        let text = "# How does it drain?\n## `[app]`\n## A_b c-d\n```\n# no\n```\n## A_b c-d\n#no";
        assert_eq!(anchors(text), ["how-does-it-drain", "app", "a_b-c-d", "a_b-c-d-1"]);
    }

    #[test]
    fn a_link_is_seen_from_the_file_that_it_stands_in() {
        assert_eq!(resolve("docs/a.md", "reference/b.md"), "docs/reference/b.md");
        assert_eq!(resolve("docs/a.md", "../README.md"), "README.md");
        assert_eq!(resolve("README.md", "./docs/"), "docs");
    }
}
