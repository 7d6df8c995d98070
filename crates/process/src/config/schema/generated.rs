//! Makes the schema from the doc comments and types of the raw tables.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::config::raw::Root;

/// The schema of the whole file, without references.
pub(super) fn root() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Root>().to_value();
    tidy(&mut schema);
    schema
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
