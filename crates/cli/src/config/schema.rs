//! The schema that the raw tables describe themselves with; the reader, the sample and the reference all follow it.
//!
//! What the tables say of themselves is written to [`COMMITTED`] by the tests, which also hold that it is up to date. The
//! binary reads it there: to make it anew with each start would cost half a megabyte of memory that no request needs.

#[cfg(test)]
mod generated;

use serde_json::Value;

/// For editors, and for the binary.
#[cfg(not(test))]
pub(crate) const COMMITTED: &str = include_str!("../../../../docs/reference/seaworthy.schema.json");

/// The schema of the whole file, without references. Half a megabyte, for as long as it is looked at.
pub(crate) fn read() -> Value {
    #[cfg(test)]
    return generated::root();
    #[cfg(not(test))]
    serde_json::from_str(COMMITTED).expect("a test holds that it is what the tables say of themselves")
}

/// The same for all tests.
#[cfg(test)]
pub(crate) fn root() -> &'static Value {
    static ROOT: std::sync::LazyLock<Value> = std::sync::LazyLock::new(read);
    &ROOT
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
