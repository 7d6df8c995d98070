//! The pages of the guide about the kinds of checks, in Markdown: from the catalogue, and from the doc comments of their keys.

use std::fmt::Write as _;

use seaworthy_checks::catalogue::{EITHER, Metric, Row};

use super::describe;

const MADE: &str = "Made from the catalogue of checks and the doc comments of the configuration by `cargo xtask docs`.";

/// The page that lists all kinds.
pub(crate) fn overview(rows: &[Row]) -> String {
    let mut page = format!("# Checks\n\n{MADE}\n\n");
    page.push_str(
        "A check asks one dependency, in the background, and probes read what it found last. It affects readiness, health, or\n\
         nothing; liveness depends on none. `seaworthy doctor` runs each of them once and says what to do.\n\n\
         | kind | passes when |\n| --- | --- |\n",
    );
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| [`{0}`]({0}.md) | {1} |", row.kind, row.proves);
    }
    page.push_str("\n## Keys of every check\n\n");
    keys(&mut page, &super::raw::COMMON);
    page
}

/// The page of one kind.
pub(crate) fn page(row: &Row) -> String {
    let Row { kind, proves, options, needs, metrics, example, failures } = row;
    let mut page = format!("# `{kind}`\n\n{MADE}\n\nPasses when {proves}.\n\n```toml\n{example}```\n");
    if !options.is_empty() {
        let _ = write!(page, "\n## Keys\n\nBeside [those of every check](README.md#keys-of-every-check)");
        match needs {
            0 => match EITHER.iter().find(|(known, _)| known == kind) {
                Some((_, [one, other])) => {
                    let _ = write!(page, "; needed: `{one}` or `{other}`.\n\n");
                }
                None => page.push_str("; none is needed.\n\n"),
            },
            needs => {
                let needed: Vec<_> = options[..*needs].iter().map(|key| format!("`{key}`")).collect();
                let _ = write!(page, "; needed: {}.\n\n", needed.join(", "));
            }
        }
        keys(&mut page, options);
    }
    page.push_str("\n## What a failure looks like\n\n| class | error |\n| --- | --- |\n");
    for (class, error) in *failures {
        let _ = writeln!(page, "| `{class}` | `{}` |", error.replace('`', "'"));
    }
    page.push_str("\nThe error is shown to whoever may see details; everybody else sees the class.\n");
    if !metrics.is_empty() {
        page.push_str("\n## What it measures\n\n| metric | labels | meaning |\n| --- | --- | --- |\n");
        for Metric { name, labels, help } in *metrics {
            let labels: Vec<_> = std::iter::once(&"name").chain(*labels).map(|label| format!("`{label}`")).collect();
            let _ = writeln!(page, "| `{name}` | {} | {help} |", labels.join(", "));
        }
    }
    page
}

fn keys(page: &mut String, names: &[&str]) {
    let tables = describe::tables(super::schema::root());
    let check = tables.iter().find(|table| table.name == "check");
    page.push_str("| key | kind | default | meaning |\n| --- | --- | --- | --- |\n");
    for name in names {
        let Some(key) = check.and_then(|check| check.keys.iter().find(|key| key.name == *name)) else { continue };
        let mut meaning = describe::description(key.schema).join(" ");
        for line in describe::words(key.schema) {
            let _ = write!(meaning, "<br>{line}");
        }
        let cells = [format!("`{name}`"), key.kind(), key.default(), meaning].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}
