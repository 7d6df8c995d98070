//! The rules of the house that no compiler knows: one row a rule.

mod api;
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
    /// Why it cannot be held on this machine.
    unless: fn() -> Option<String>,
}

impl Rule {
    /// One that is held everywhere.
    const fn new(name: &'static str, about: &'static str, check: fn(&Tree) -> Vec<Finding>) -> Self {
        Self { name, about, check, unless: || None }
    }
}

const RULES: &[Rule] = &[
    Rule::new("directions", "crates depend on each other in one direction", directions::check),
    Rule::new("reasons", "every dependency has its reason in ARCHITECTURE.md", dependencies::reasons),
    Rule::new("unused", "every shared dependency is used", dependencies::unused),
    Rule::new("bans", "no package that deny.toml bans is in Cargo.lock", bans::check),
    Rule::new("length", "no source file is longer than one can read", length::check),
    Rule::new("marks", "nothing is left for later, and no test is skipped", marks::check),
    Rule::new("paths", "no file knows the machine that it was written on", paths::check),
    Rule::new("links", "links between documents lead somewhere", links::check),
    Rule::new("metrics", "the metrics in the documents are those of the code", metrics::check),
    Rule::new("examples", "every page of the library has an example", examples::check),
    Rule::new("generated", "what is made from the sources is up to date", generated),
    Rule {
        unless: api::unless,
        ..Rule::new("api", "the list of what the library offers is that of its code", api::check)
    },
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
        if let Some(reason) = (rule.unless)() {
            eprintln!("NOT HELD: {}: {reason}", rule.about);
            println!("tidy {:<10} {:<10} {}", rule.name, "NOT HELD", rule.about);
            continue;
        }
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
