//! The schema that the raw tables describe themselves with; the reader, the sample and the reference all follow it.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::raw::Root;

static ROOT: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Root>().to_value();
    tidy(&mut schema);
    schema
});

/// The schema of the whole file, without references.
pub(crate) fn root() -> &'static Value {
    &ROOT
}

/// Removes what schemars says about Rust rather than about the file: TOML has no null, and the default of a table is
/// the default of its keys.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(table) => {
            tidy_object(table);
            table.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn tidy_object(table: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = table.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            table["type"] = only.clone();
        }
    }
    if let Some(Value::Array(values)) = table.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    // `anyOf: [X, null]` around an optional X: X itself takes its place, with what was said beside it.
    if let Some(Value::Array(choices)) = table.get_mut("anyOf")
        && choices.last().is_some_and(|last| last["type"] == "null")
    {
        choices.pop();
        if let [Value::Object(only)] = choices.as_mut_slice() {
            let only = std::mem::take(only);
            table.remove("anyOf");
            for (key, value) in only {
                table.entry(key).or_insert(value);
            }
        }
    }
    // `format: uint32` is no standard format; the bound behind it is.
    if let Some(Value::String(format)) = table.get("format")
        && format.starts_with("uint")
    {
        if format == "uint32" {
            table.entry("maximum").or_insert(u32::MAX.into());
        }
        table.remove("format");
    }
    let is_table = table.contains_key("properties");
    if table.get("default").is_some_and(|default| default.is_null() || is_table) {
        table.remove("default");
    }
}

/// What is allowed where only some words are: each with its description.
pub(crate) fn words(schema: &Value) -> Option<Vec<(&str, Option<&str>)>> {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| Some((word.as_str()?, None))).collect();
    }
    let choices = schema["oneOf"].as_array()?;
    let mut all = Vec::new();
    for choice in choices {
        match choice["const"].as_str() {
            Some(word) => all.push((word, choice["description"].as_str())),
            // Words without a description share one `enum`.
            None => all.extend(words(choice)?),
        }
    }
    Some(all)
}

/// The schema of `key` in a table: a known key's own, or that of any key where keys are free.
pub(crate) fn of_key<'s>(table: &'s Value, key: &str) -> Option<&'s Value> {
    let known = table["properties"].get(key);
    known.or_else(|| table.get("additionalProperties").filter(|schema| schema.is_object()))
}

/// Whether `schema` is a table, of known or of free keys; a kind that may be written as one is none.
pub(crate) fn is_table(schema: &Value) -> bool {
    schema["type"] == "object" && schema.get("x-kind").is_none()
}
