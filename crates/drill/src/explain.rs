//! The catalogue for readers: a list, a page a check, and the reference.

use std::fmt::Write as _;

use crate::catalogue::{self, Check};

/// All checks, one a line.
pub(crate) fn list() -> String {
    let mut out = String::new();
    for check in catalogue::all() {
        let _ = writeln!(out, "{:<42} {:<6} {}", check.id, check.level.to_string(), check.title);
    }
    out
}

/// What `--explain` says.
pub(crate) fn page(check: &Check) -> String {
    format!(
        "{} ({})\n{}.\n\nWhat is done\n  {}\n\nWhy it matters\n  {}\n\nHow to mend it\n  {}\n\nSource\n  {}\n",
        check.id, check.level, check.title, check.does, check.why, check.mend, check.source
    )
}

/// The reference of all checks, as Markdown.
#[cfg(test)]
pub(crate) fn reference() -> String {
    let mut out = String::from(
        "# The checks of the drill\n\nWritten from the catalogue (`crates/drill/src/catalogue/`). Ids are stable. `seaworthy drill --explain ID` shows \
         one of them. How the drill is used: [drill](../drill.md).\n",
    );
    let mut group = "";
    for check in catalogue::all() {
        if check.group() != group {
            group = check.group();
            let _ = writeln!(out, "\n## {group}");
        }
        let _ = writeln!(out, "\n### {}\n\n**{}** ({}).\n", check.id, check.title, check.level);
        for (what, text) in [("Does", check.does), ("Why", check.why), ("Mend", check.mend), ("Source", check.source)] {
            let _ = writeln!(out, "- {what}: {}", text.replace('<', "&lt;"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Zoo {
        defect: Vec<Defect>,
        unfailing: Vec<Unfailing>,
    }

    #[derive(serde::Deserialize)]
    struct Unfailing {
        check: String,
        why: String,
    }

    fn zoo() -> Zoo {
        toml::from_str(include_str!("../zoo/members.toml")).expect("the members are valid TOML")
    }

    #[derive(serde::Deserialize)]
    struct Defect {
        server: String,
        name: String,
        title: Option<String>,
        finds: Vec<String>,
    }

    /// Defect → check, over all servers that have it.
    fn defects() -> String {
        let zoo = zoo();
        let mut rows: BTreeMap<(String, Vec<String>), Vec<String>> = BTreeMap::new();
        for defect in zoo.defect {
            for id in &defect.finds {
                assert!(catalogue::find(id).is_some(), "{}: {id} is no check", defect.name);
            }
            let title = defect.title.unwrap_or_else(|| defect.name.replace('-', " "));
            rows.entry((title, defect.finds)).or_default().push(defect.server);
        }
        let mut out = String::from(
            "\n## Defects that they find\n\nThe zoo (`crates/drill/zoo/`) has a service for each, and a clean twin in which nothing is found.\n\n\
             | defect | in | found by |\n| --- | --- | --- |\n",
        );
        for ((title, finds), servers) in rows {
            let finds: Vec<String> = finds.iter().map(|id| format!("`{id}`")).collect();
            let _ = writeln!(out, "| {title} | {} | {} |", servers.join(", "), finds.join(", "));
        }
        out.push_str("\nThe other way round, so that no check is without one:\n\n| check | defects |\n| --- | --- |\n");
        for check in catalogue::all() {
            let _ = writeln!(out, "| `{}` | {} |", check.id, broken_by(&self::zoo(), check));
        }
        out
    }

    /// The defects that a check finds, or why there is none.
    fn broken_by(zoo: &Zoo, check: &Check) -> String {
        if let Some(unfailing) = zoo.unfailing.iter().find(|unfailing| unfailing.check == check.id) {
            return format!("none: {}", unfailing.why);
        }
        let finds = zoo.defect.iter().filter(|defect| defect.finds.iter().any(|id| id == check.id));
        let mut rows: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for defect in finds {
            let title = defect.title.clone().unwrap_or_else(|| defect.name.replace('-', " "));
            rows.entry(title).or_default().push(&defect.server);
        }
        let rows = rows.into_iter().map(|(title, servers)| format!("{title} ({})", servers.join(", ")));
        rows.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_check_is_broken_by_a_defect_of_the_zoo_or_says_why_none_can() {
        let zoo = zoo();
        for check in catalogue::all() {
            let found = zoo.defect.iter().any(|defect| defect.finds.iter().any(|id| id == check.id));
            let excused = zoo.unfailing.iter().any(|unfailing| unfailing.check == check.id);
            assert!(found != excused, "{}: found by a defect: {found}, excused: {excused}", check.id);
        }
        assert!(zoo.unfailing.iter().all(|unfailing| catalogue::find(&unfailing.check).is_some()));
    }

    #[test]
    fn the_reference_in_the_docs_is_what_the_catalogue_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/checks.md");
        let written = reference() + &defects();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == written, "docs/reference/checks.md is out of date: run `cargo xtask docs`");
    }
}
