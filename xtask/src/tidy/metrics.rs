//! The names of metrics: each one in the documents stands in the code, and each one in the code has its place in the
//! guide.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

/// How the name of a metric ends, by the conventions of Prometheus; ours may also begin with the product's.
const UNITS: &[&str] = &["_total", "_seconds", "_bytes", "_ratio"];
const OURS: &str = "seaworthy_";

/// Where they are made, and where they are explained.
const PAGES: &[&str] = &["crates/process/src/metrics/", "crates/seaworthy/src/metrics"];
const GUIDE: &str = "docs/metrics.md";

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
    let text = |path: &str| tree.files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let explained: BTreeSet<_> = words(text(GUIDE)).collect();
    let pages = tree.rust().filter(|file| PAGES.iter().any(|page| file.path.starts_with(page)));
    for file in pages.filter(|file| !file.path.contains("/tests")) {
        let unexplained = families(&file.text).filter(|name| !explained.contains(name));
        findings.extend(
            unexplained.map(|name| {
                Finding::new(&file.path, 1, format!("{name} is not explained"), format!("add it to {GUIDE}"))
            }),
        );
    }
    findings
}

/// The families that a source file makes: the first argument of each `family(…)`.
fn families(code: &str) -> impl Iterator<Item = &str> {
    let calls = code.split(".family(").skip(1);
    calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next())
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
    fn families_are_found_in_the_code_however_it_is_broken_into_lines() {
        let code = "page.family(\"a_total\", Counter).sample();\n page.family(\n    \"b\",\n Gauge)";
        assert_eq!(families(code).collect::<Vec<_>>(), ["a_total", "b"]);
    }

    #[test]
    fn metrics_are_told_from_other_words_by_their_unit_or_prefix() {
        assert!(is_metric("http_requests_total"));
        assert!(is_metric("seaworthy_workers"));
        assert!(!is_metric("SEAWORTHY_LISTEN"));
        assert!(!is_metric("drain"));
    }
}
