//! The rules of the house that no compiler knows: one row a rule.

mod bans;
mod dependencies;
mod directions;
mod examples;
mod length;
mod links;
mod marks;
mod metrics;
mod paths;
mod tree;

use std::fmt;

use anyhow::{Result, bail};

use self::tree::Tree;
use crate::docs;

/// A rule, and who holds it.
struct Rule {
    name: &'static str,
    about: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

const RULES: &[Rule] = &[
    Rule { name: "directions", about: "crates depend on each other in one direction", check: directions::check },
    Rule { name: "reasons", about: "every dependency has its reason in ARCHITECTURE.md", check: dependencies::reasons },
    Rule { name: "unused", about: "every shared dependency is used", check: dependencies::unused },
    Rule { name: "bans", about: "no package that deny.toml bans is in Cargo.lock", check: bans::check },
    Rule { name: "length", about: "no source file is longer than one can read", check: length::check },
    Rule { name: "marks", about: "nothing is left for later, and no test is skipped", check: marks::check },
    Rule { name: "paths", about: "no file knows the machine that it was written on", check: paths::check },
    Rule { name: "links", about: "links between documents lead somewhere", check: links::check },
    Rule { name: "metrics", about: "the metrics in the documents are those of the code", check: metrics::check },
    Rule { name: "examples", about: "every page of the library has an example", check: examples::check },
    Rule { name: "generated", about: "what is made from the sources is up to date", check: generated },
];

/// What breaks a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    file: String,
    /// From 1.
    line: usize,
    what: String,
    remedy: String,
}

impl Finding {
    fn new(file: impl Into<String>, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.what, self.remedy)
    }
}

/// Holds every rule, or `only` one, and shows all that it finds.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let rules: Vec<_> = RULES.iter().filter(|rule| only.is_none_or(|only| only == rule.name)).collect();
    if rules.is_empty() {
        let names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        bail!("no rule {:?}: use one of {}", only.unwrap_or_default(), names.join(", "));
    }
    let tree = Tree::read()?;
    let mut broken = 0;
    for rule in rules {
        let findings = (rule.check)(&tree);
        for finding in &findings {
            eprintln!("{finding}");
        }
        let verdict = if findings.is_empty() { "ok".to_owned() } else { format!("{} found", findings.len()) };
        println!("tidy {:<10} {verdict:<10} {}", rule.name, rule.about);
        broken += findings.len();
    }
    if broken > 0 {
        bail!("{broken} breaches of the rules of the house");
    }
    Ok(())
}

fn generated(_: &Tree) -> Vec<Finding> {
    let stale = docs::check().err();
    let finding = |error| Finding::new("docs/reference", 1, format!("{error:#}"), "run `cargo xtask docs`");
    stale.map(finding).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_compilers_write_them() {
        let finding = Finding::new("src/a.rs", 7, "510 lines", "split it");
        assert_eq!(finding.to_string(), "src/a.rs:7: 510 lines: split it");
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
