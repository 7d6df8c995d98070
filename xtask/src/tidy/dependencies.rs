//! Dependencies from outside: each has a reason, and each is used.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::{MAP, Package, Tree};

/// Every dependency of the workspace stands in a row of the table in ARCHITECTURE.md: ``| `name` | why |``.
pub(super) fn reasons(tree: &Tree) -> Vec<Finding> {
    let ours: BTreeSet<_> = tree.packages().map(Package::name).collect();
    let theirs: BTreeSet<_> =
        tree.packages().flat_map(Package::dependencies).filter(|name| !ours.contains(name)).collect();
    let rows = rows(&tree.map);
    let unexplained = theirs.iter().filter(|name| !rows.iter().any(|(_, names)| names.contains(*name)));
    let mut findings: Vec<_> = unexplained
        .map(|name| {
            Finding::new(
                MAP,
                1,
                format!("{name} has no reason"),
                "add a row to the table of dependencies, or do without it",
            )
        })
        .collect();
    for (line, names) in &rows {
        let gone = names.iter().filter(|name| !theirs.contains(*name));
        findings
            .extend(gone.map(|name| Finding::new(MAP, *line, format!("{name} is no dependency"), "take its row out")));
    }
    findings
}

/// The rows under the heading "Dependencies": their line, and the names that the first cell quotes.
fn rows(map: &str) -> Vec<(usize, Vec<&str>)> {
    let lines = (1..).zip(map.lines()).skip_while(|(_, line)| *line != "## Dependencies").skip(1);
    let section = lines.take_while(|(_, line)| !line.starts_with("## "));
    let rows = section.filter_map(|(line, text)| {
        let mut cells = text.strip_prefix("| `")?.split(" | ");
        let (names, reason) = (cells.next()?, cells.next()?);
        (!reason.trim_matches([' ', '|']).is_empty()).then(|| (line, names.split('`').step_by(2).collect()))
    });
    rows.collect()
}

/// Every entry of `[workspace.dependencies]` that comes from outside is used by some crate.
pub(super) fn unused(tree: &Tree) -> Vec<Finding> {
    let workspace = tree.manifest.get("workspace");
    let shared = workspace.and_then(|workspace| workspace.get("dependencies")).and_then(toml::Value::as_table);
    let used: BTreeSet<_> = tree.packages().flat_map(Package::dependencies).collect();
    let theirs = shared.into_iter().flatten().filter(|(_, entry)| entry.get("path").is_none());
    let unused = theirs.map(|(name, _)| name).filter(|name| !used.contains(name.as_str()));
    unused.map(|name| Finding::new("Cargo.toml", 1, format!("no crate uses {name}"), "take it out")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_may_explain_several_and_one_without_a_reason_explains_none() {
        let map = "| `before` | x |\n## Dependencies\n\n| what | why |\n| `http`, `http-body` | types |\n| `bare` | |\n## Next\n| `after` | x |";
        assert_eq!(rows(map), [(5, vec!["http", "http-body"])]);
    }
}
