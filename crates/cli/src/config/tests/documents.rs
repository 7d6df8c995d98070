//! What is made from the doc comments: complete, right, and committed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::config::{check, describe, schema};

fn keys() -> Vec<(String, describe::Key<'static>)> {
    let tables = describe::tables();
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
            let needed = match table.as_str() {
                "[[migrate]]" if key.starts_with("name") => "command = [\"true\"]\n",
                "[[migrate]]" if key.starts_with("command") => "name = \"a\"\n",
                "[[migrate]]" => "name = \"a\"\ncommand = [\"true\"]\n",
                _ => "",
            };
            let given = file(&format!("{table}\n{needed}{key}"))
                .variable("MIGRATION_PASSWORD", "x")
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
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let documents =
        [("config.md", reference()), ("seaworthy.schema.json", schema()), ("seaworthy.sample.toml", sample())];
    for (name, made) in documents {
        let path = directory.join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(&directory).expect("docs/reference can be made");
            std::fs::write(&path, &made).expect("docs/reference can be written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "docs/reference/{name} is out of date: run `cargo xtask docs`");
    }
}
