//! Which crate may know which: `core ← { seaworthy ← gateway, checks, deploy } ← process`, and `drill ← process ← cli`.

use super::Finding;
use super::tree::{Package, Tree};

/// A crate, and the ones of ours that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("seaworthy-core", &[]),
    ("seaworthy", &["seaworthy-core"]),
    ("seaworthy-gateway", &["seaworthy-core", "seaworthy"]),
    ("seaworthy-checks", &["seaworthy-core"]),
    ("seaworthy-deploy", &["seaworthy-core"]),
    // It judges any service from outside, so it knows nothing of ours.
    ("seaworthy-drill", &[]),
    (
        "seaworthy-process",
        &[
            "seaworthy-core",
            "seaworthy",
            "seaworthy-gateway",
            "seaworthy-checks",
            "seaworthy-deploy",
            "seaworthy-drill",
        ],
    ),
    // Its tests look at the library's own measure of a service.
    ("seaworthy-cli", &["seaworthy-process", "seaworthy"]),
    (FUZZ, &[]),
    ("xtask", &[]),
];

/// Drives parsers in tests, so that any crate may use it there, and none may ship it.
const FUZZ: &str = "seaworthy-fuzz";

const MAP: &str = "the map in ARCHITECTURE.md says which crate may know which";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ours: Vec<_> = tree.packages().map(Package::name).collect();
    let edges = tree.packages().flat_map(|package| {
        let edges = package.dependencies().filter(|name| ours.contains(name) && *name != FUZZ);
        edges.chain(package.shipped().filter(|name| *name == FUZZ)).map(move |name| (package.name(), name))
    });
    let mut findings: Vec<_> = edges.filter_map(|(from, to)| forbidden(from, to)).collect();
    // Examples stand outside: they use what a user may use.
    let inside = tree.packages().filter(|package| !package.is_example()).map(Package::name);
    let unknown = inside.filter(|name| rank(name).is_none());
    findings.extend(unknown.map(|name| {
        Finding::new("Cargo.toml", 1, format!("{name} has no place"), "give it one in xtask/src/tidy/directions.rs")
    }));
    findings
}

fn rank(name: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed)
}

fn forbidden(from: &str, to: &str) -> Option<Finding> {
    let allowed = rank(from)?;
    (!allowed.contains(&to)).then(|| Finding::new("Cargo.toml", 1, format!("{from} depends on {to}"), MAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_crates_do_not_know_each_other_and_the_drill_knows_none() {
        assert_eq!(forbidden("seaworthy", "seaworthy-core"), None);
        assert_eq!(forbidden("seaworthy-process", "seaworthy-drill"), None);
        for (from, to) in [
            ("seaworthy", "seaworthy-checks"),
            ("seaworthy", "seaworthy-gateway"),
            ("seaworthy-gateway", "seaworthy-checks"),
            ("seaworthy-core", "seaworthy"),
            ("seaworthy-drill", "seaworthy-core"),
            ("seaworthy-checks", "seaworthy-cli"),
        ] {
            assert!(forbidden(from, to).is_some(), "{from} → {to}");
        }
    }
}
