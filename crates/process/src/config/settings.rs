//! What is in force, key by key: shown to people, and compared at a reload.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Loaded;
use super::describe;
use super::raw::Root;
use super::rules::Rules;
use super::tree::{self, Origin};

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) path: String,
    /// As it would be written in the file; `null` when there is none. Secrets are masked.
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// Whether a change takes effect only after a restart.
    pub(crate) restart: bool,
}

/// A key that a reload changes. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedKey {
    pub(crate) path: String,
    pub(crate) old: Value,
    pub(crate) new: Value,
    /// Whether it takes effect only after a restart.
    pub(crate) restart: bool,
}

/// How [`show`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Every key of `raw`, in the order of the reference.
pub(super) fn settings(raw: &Root, origins: &BTreeMap<String, Origin>, rules: &Rules<'_>) -> Vec<Setting> {
    let value = serde_json::to_value(raw).expect("tables with text for keys can be written as JSON");
    let mut settings = Vec::new();
    collect(&value, Some(rules), "", false, &mut |path, value, restart| {
        let origin = origins.get(path).cloned().unwrap_or(Origin::Default);
        settings.push(Setting { path: path.to_owned(), value: value.clone(), origin, restart });
    });
    settings
}

fn collect(
    value: &Value,
    rules: Option<&Rules<'_>>,
    path: &str,
    restart: bool,
    emit: &mut impl FnMut(&str, &Value, bool),
) {
    let restart = restart || rules.is_some_and(|rules| rules.restart);
    let of_item = rules.and_then(|rules| rules.items.as_deref());
    let of_tables = of_item.is_some_and(|rules| rules.properties.is_some());
    match value {
        Value::Object(table) if rules.is_some_and(Rules::is_table) && !table.is_empty() => {
            for (key, value) in table {
                let rules = rules.and_then(|rules| rules.of_key(key));
                collect(value, rules, &tree::join(path, key), restart, emit);
            }
        }
        Value::Array(items) if of_tables && !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                collect(item, of_item, &tree::at(path, index), restart, emit);
            }
        }
        leaf => emit(path, leaf, restart),
    }
}

/// What is in force and where it came from.
pub(crate) fn show(loaded: &Loaded, format: Format) -> String {
    match format {
        Format::Json => {
            let entry = |setting: &Setting| {
                let Setting { path, value, origin, restart } = setting;
                (path.clone(), json!({ "value": value, "origin": origin.to_string(), "needs-restart": restart }))
            };
            let table: Map<_, _> = loaded.settings.iter().map(entry).collect();
            format!("{:#}\n", Value::Object(table))
        }
        Format::Text => {
            let rows = loaded.settings.iter().map(|setting| (&setting.path, shown(&setting.value), &setting.origin));
            let rows: Vec<_> = rows.collect();
            let width =
                |cells: &mut dyn Iterator<Item = &str>| cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            let keys = width(&mut rows.iter().map(|(path, ..)| path.as_str()));
            // One long command must not push every origin off the screen.
            let values = width(&mut rows.iter().map(|(_, value, _)| value.as_str())).min(40);
            rows.iter().fold(String::new(), |mut text, (path, value, origin)| {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{path:keys$}  {value:values$}  {origin}");
                text
            })
        }
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "-".to_owned() } else { describe::toml(value) }
}

/// The keys whose values differ, by path.
pub(crate) fn diff(old: &Loaded, new: &Loaded) -> Vec<ChangedKey> {
    let by_path = |loaded: &'_ Loaded| -> BTreeMap<String, Setting> {
        loaded.settings.iter().map(|setting| (setting.path.clone(), setting.clone())).collect()
    };
    let (before, after) = (by_path(old), by_path(new));
    let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let change = |path: &String| {
        let (before, after) = (before.get(path), after.get(path));
        let value = |setting: Option<&Setting>| setting.map_or(Value::Null, |setting| setting.value.clone());
        let (old_value, new_value) = (value(before), value(after));
        // Two secrets look alike behind their masks.
        let same = old_value == new_value && old.secrets.get(path) == new.secrets.get(path);
        let restart = before.or(after).is_some_and(|setting| setting.restart);
        (!same).then(|| ChangedKey { path: path.clone(), old: old_value, new: new_value, restart })
    };
    paths.into_iter().filter_map(change).collect()
}
