//! The schema that the raw tables describe themselves with; the reader, the sample and the reference all follow it.
//!
//! What the tables say of themselves is written to [`COMMITTED`] by the tests, which also hold that it is up to date. The
//! binary reads it there: to make it anew with each start would cost half a megabyte of memory that no request needs.

#[cfg(test)]
mod generated;

use serde_json::Value;

/// For editors, and for the binary.
#[cfg(not(test))]
const COMMITTED: &str = include_str!("../../../../docs/reference/seaworthy.schema.json");

/// The schema of the whole file, without references. Half a megabyte, for as long as it is looked at.
pub(crate) fn read() -> Value {
    serde_json::from_str(text()).expect("a test holds that it is what the tables say of themselves")
}

/// As it stands in the file.
#[cfg(not(test))]
pub(crate) fn text() -> &'static str {
    COMMITTED
}

/// As it should stand in the file.
#[cfg(test)]
pub(crate) fn text() -> &'static str {
    static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!("{:#}\n", generated::root()));
    &TEXT
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
