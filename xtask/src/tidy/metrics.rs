//! The names of metrics in the documents: each stands in the code, too.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

/// How the name of a metric ends, by the conventions of Prometheus; ours may also begin with the product's.
const UNITS: &[&str] = &["_total", "_seconds", "_bytes", "_ratio"];
const OURS: &str = "seaworthy_";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let code: BTreeSet<_> = tree.rust().flat_map(|file| words(&file.text)).collect();
    let mut findings = Vec::new();
    for file in tree.markdown().filter(|file| file.path.starts_with("docs/") || file.path == "README.md") {
        for (number, line) in file.lines() {
            let quoted = line.split('`').skip(1).step_by(2).flat_map(words);
            let unknown = quoted.filter(|word| is_metric(word) && !code.contains(word));
            findings.extend(unknown.map(|word| {
                Finding::new(
                    &file.path,
                    number,
                    format!("no metric {word} in the code"),
                    "mend the name, or take it out",
                )
            }));
        }
    }
    findings
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).filter(|word| !word.is_empty())
}

fn is_metric(word: &str) -> bool {
    let lower = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    lower && (word.starts_with(OURS) || UNITS.iter().any(|unit| word.ends_with(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_told_from_other_words_by_their_unit_or_prefix() {
        assert!(is_metric("http_requests_total"));
        assert!(is_metric("seaworthy_workers"));
        assert!(!is_metric("SEAWORTHY_LISTEN"));
        assert!(!is_metric("drain"));
    }
}
