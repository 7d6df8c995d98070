//! Packages that must not come in: those that `deny.toml` bans, held against `Cargo.lock` without cargo-deny.

use std::collections::BTreeMap;

use toml::Value;

use super::Finding;
use super::tree::Tree;

const INDEX: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    breaches(&tree.deny, &tree.lock)
}

fn breaches(deny: &toml::Table, lock: &toml::Table) -> Vec<Finding> {
    let text = |table: &Value, key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows = deny.get("bans").and_then(|bans| bans.get("deny")).and_then(Value::as_array);
    let banned: BTreeMap<_, _> = rows.into_iter().flatten().map(|row| (text(row, "name"), row)).collect();
    let locked: Vec<_> = lock.get("package").and_then(Value::as_array).into_iter().flatten().collect();
    let brought_by = |name: &str| {
        // A dependency may carry its version behind its name.
        let depends =
            |package: &&&Value| words(package, "dependencies").any(|word| word.split(' ').next() == Some(name));
        locked.iter().filter(depends).map(|package| text(package, "name")).collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    for package in &locked {
        let (name, source) = (text(package, "name"), text(package, "source"));
        let breach = banned.get(&name).filter(|row| {
            // Those that may bring it in all the same.
            let wrappers: Vec<_> = words(row, "wrappers").collect();
            wrappers.is_empty() || brought_by(&name).iter().any(|package| !wrappers.contains(&package.as_str()))
        });
        if let Some(reason) = breach.map(|row| text(row, "reason")) {
            let remedy = format!("`cargo tree --invert {name}` shows who brings it in");
            findings.push(Finding::new("Cargo.lock", 1, format!("{name} is banned ({reason})"), remedy));
        }
        if !source.is_empty() && source != INDEX {
            let what = format!("{name} comes from {source}");
            findings.push(Finding::new("Cargo.lock", 1, what, "take it from crates.io"));
        }
    }
    findings
}

/// The texts of a list.
fn words<'v>(table: &'v Value, key: &str) -> impl Iterator<Item = &'v str> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_package_and_a_foreign_source_are_found() {
        let deny = "bans.deny = [{ name = \"openssl\", reason = \"not static\" }]".parse().expect("TOML");
        let lock = format!(
            "[[package]]\nname = \"openssl\"\nsource = \"{INDEX}\"\n[[package]]\nname = \"a\"\nsource = \"git+https://example.com/a\"\n[[package]]\nname = \"ours\""
        );
        let found = breaches(&deny, &lock.parse().expect("TOML"));
        let what: Vec<_> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(what, ["openssl is banned (not static)", "a comes from git+https://example.com/a"]);
    }

    #[test]
    fn what_is_banned_may_come_in_by_those_that_are_named_and_by_no_other() {
        let deny = "bans.deny = [{ name = \"old\", wrappers = [\"tool\"], reason = \"old\" }]".parse().expect("TOML");
        let lock = |by: &str| {
            format!("[[package]]\nname = \"old\"\n[[package]]\nname = \"{by}\"\ndependencies = [\"old 1.0.0\"]")
        };
        assert!(breaches(&deny, &lock("tool").parse().expect("TOML")).is_empty());
        assert_eq!(breaches(&deny, &lock("ours").parse().expect("TOML")).len(), 1);
    }
}
