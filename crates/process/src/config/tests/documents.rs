//! What is made from the doc comments: complete, right, and committed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use seaworthy_checks::catalogue;
use serde_json::Value;

use super::*;
use crate::config::{check, describe, kinds, schema};

fn keys() -> Vec<(String, describe::Key<'static>)> {
    let tables = describe::tables(schema::root());
    let path = |table: &describe::Table<'static>, key| (table.path(key), key);
    tables.iter().flat_map(|table| table.keys.iter().map(move |key| path(table, *key))).collect()
}

#[test]
fn every_key_says_what_it_means_what_it_is_and_what_it_defaults_to() {
    for (path, key) in keys() {
        assert!(!describe::description(key.schema)[0].is_empty(), "{path} has no doc comment");
        assert!(!key.kind().is_empty(), "{path} has no kind");
        let default = key.schema.get("default").or(key.schema.get("x-default"));
        assert!(default.is_some() || key.required, "{path} has no default");
        assert!(!key.example().is_null(), "{path} has no example");
    }
}

#[test]
fn every_kind_in_the_schema_has_a_reader_that_takes_its_default_and_its_examples() {
    fn visit(schema: &Value, seen: &mut BTreeSet<String>) {
        if let Some(kind) = schema["x-kind"].as_str() {
            let check = check::of_kind(kind).unwrap_or_else(|| panic!("no reader for {kind}"));
            let examples = schema["examples"].as_array().into_iter().flatten();
            for value in schema.get("default").into_iter().chain(examples) {
                assert_eq!(check(value), Ok(()), "{value} as {kind}");
            }
            seen.insert(kind.to_owned());
        }
        match schema {
            Value::Object(table) => table.values().for_each(|schema| visit(schema, seen)),
            Value::Array(items) => items.iter().for_each(|schema| visit(schema, seen)),
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    visit(schema::root(), &mut seen);
    assert!(seen.contains("duration") && seen.contains("secret") && seen.contains("size or \"off\""), "{seen:?}");
}

#[test]
fn the_schema_has_no_null_and_allows_no_unknown_key() {
    fn visit(schema: &Value, path: &str) {
        if let Value::Object(table) = schema {
            assert_ne!(table.get("type"), Some(&Value::from("null")), "{path}");
            if table.contains_key("properties") {
                assert_eq!(table.get("additionalProperties"), Some(&false.into()), "{path}");
            }
            table.iter().for_each(|(key, schema)| visit(schema, &format!("{path}/{key}")));
        }
    }
    visit(schema::root(), "");
    assert!(!schema().contains("null"), "the schema speaks of null");
}

#[test]
fn the_sample_is_a_valid_file_that_changes_nothing() {
    assert_eq!(file(&sample()).config(), Given::default().config());
}

#[test]
fn every_key_of_the_sample_can_be_taken_as_it_stands() {
    // One at a time: some exclude each other.
    let lines: Vec<_> = sample().lines().map(str::to_owned).collect();
    let (mut table, mut tried) = (String::new(), 0);
    for line in &lines {
        if line.starts_with('[') || line.starts_with("#[") {
            table = line.trim_start_matches('#').to_owned();
        } else if let Some(key) = line.strip_prefix('#').filter(|key| key.contains(" = ") && !key.starts_with(' ')) {
            // A lock is that of a check.
            let before = match table.as_str() {
                "[[migrate]]" if key.starts_with("lock") => {
                    "[[check]]\nname = \"database\"\nkind = \"postgres\"\nurl = \"postgres://app@db/app\"\n"
                }
                _ => "",
            };
            let needed = match table.as_str() {
                "[[migrate]]" if key.starts_with("name") => "command = [\"true\"]\n".to_owned(),
                "[[migrate]]" if key.starts_with("command") => "name = \"a\"\n".to_owned(),
                "[[migrate]]" => "name = \"a\"\ncommand = [\"true\"]\n".to_owned(),
                "[[check]]" => needed_by_check(key),
                "[egress.NAME]" if key.starts_with("url") => String::new(),
                "[egress.NAME]" => "url = \"https://api.example.com\"\n".to_owned(),
                _ => String::new(),
            };
            let table = table.replace("NAME", "name");
            let given = file(&format!("{before}{table}\n{needed}{key}"))
                .variable("MIGRATION_PASSWORD", "x")
                .variable("LICENSE_KEY", "x")
                .variable("ENCRYPTION_KEY", "x")
                .variable("BACKUP_TOKEN", "0123456789abcdef")
                .variable("PROBE_TOKEN", "0123456789abcdef")
                .with_file("/run/secrets/health-token", "x")
                .with_file("/run/secrets/collector-key", "x")
                .with_file("/run/secrets/sentry-dsn", "https://x@sentry.example/1")
                .with_file("/run/secrets/audit-key", "x")
                .with_file("/run/secrets/stripe-key", "x")
                .with_file("/run/secrets/api-key", "x")
                .with_file("/etc/ssl/collector-ca.pem", AUTHORITY)
                .with_file("/etc/ssl/sentry-ca.pem", AUTHORITY)
                .variable("DATABASE_URL", "postgres://app@db/app")
                .with_file("/run/secrets/database-url", "x");
            // The examples of the drain are those of Kubernetes.
            let given = given.variable("KUBERNETES_SERVICE_HOST", "10.0.0.1");
            let is_valid = given.load();
            assert!(is_valid.is_ok(), "{table} {key}: {}", is_valid.map(|_| ()).unwrap_err());
            tried += 1;
        }
    }
    assert_eq!(tried, keys().len(), "the sample has every key");
}

/// The rest of a check that takes `line`: the example of the first kind that does.
fn needed_by_check(line: &str) -> String {
    let key = line.split(' ').next().unwrap_or_default();
    let takes_it = catalogue::ROWS.iter().find(|row| row.options.contains(&key));
    let row = takes_it.or_else(|| catalogue::row("memory")).unwrap();
    let mut lines: Vec<_> =
        row.example.lines().skip(1).filter(|line| !line.starts_with(&format!("{key} = "))).collect();
    match key {
        "kind" => lines.retain(|line| line.starts_with("name")),
        // Neither is of use without the other.
        "cert-file" => lines.push("key-file = \"/etc/ssl/client.key\""),
        "key-file" => lines.push("cert-file = \"/etc/ssl/client.pem\""),
        // They exclude each other.
        "schedule" => lines.retain(|line| !line.starts_with("within")),
        "time-zone" => {
            lines.retain(|line| !line.starts_with("within"));
            lines.push("schedule = \"0 3 * * *\"");
        }
        "method" => lines.retain(|line| !line.starts_with("json")),
        _ => {}
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_kind_of_check_is_a_word_and_every_option_a_key() {
    let check = &schema::root()["properties"]["check"]["items"];
    let words: Vec<_> =
        schema::words(&check["properties"]["kind"]).unwrap().into_iter().map(|(word, _)| word).collect();
    assert_eq!(words, catalogue::ROWS.iter().map(|row| row.kind).collect::<Vec<_>>());
    let keys: BTreeSet<_> = check["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let options: BTreeSet<_> = catalogue::ROWS.iter().flat_map(|row| row.options).copied().collect();
    let common: BTreeSet<_> = raw::COMMON.into_iter().collect();
    assert_eq!(keys, options.union(&common).copied().collect());
}

#[test]
fn the_example_of_every_kind_is_a_valid_file() {
    for row in catalogue::ROWS {
        let given = file(row.example).variable("DATABASE_URL", "postgres://app:secret@db.internal/app");
        let given = given.variable("ENCRYPTION_KEY", "0123456789abcdef0123456789abcdef");
        let given = given.variable("MYSQL_URL", "mysql://app:secret@db.internal/app");
        let config = given.config();
        assert_eq!(config.checks.len(), 1, "{}", row.kind);
        assert_eq!(config.checks[0].spec.kind(), row.kind);
    }
}

#[test]
fn the_reference_has_every_key_and_its_default() {
    let reference = reference();
    for (path, key) in keys() {
        assert!(reference.contains(&format!("| `{path}` | {} |", key.default())), "{path}");
    }
    assert!(reference.lines().all(|line| !line.contains("| |")), "a cell is empty");
}

/// `UPDATE_DOCS=1` writes them instead, which is what `cargo xtask docs` does.
#[test]
fn the_committed_documents_are_those_that_the_doc_comments_make() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let documents = [
        ("reference/config.md", reference()),
        ("reference/seaworthy.schema.json", schema().to_owned()),
        ("reference/seaworthy.sample.toml", sample()),
        ("checks/README.md", kinds::overview(catalogue::ROWS)),
    ];
    let documents = documents.map(|(name, made)| (name.to_owned(), made)).into_iter();
    let pages = catalogue::ROWS.iter().map(|row| (format!("checks/{}.md", row.kind), kinds::page(row)));
    for (name, made) in documents.chain(pages) {
        let path = directory.join(&name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("docs can be made");
            std::fs::write(&path, &made).expect("docs can be written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "docs/{name} is out of date: run `cargo xtask docs`");
    }
}
