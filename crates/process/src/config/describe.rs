//! How keys are described to people: what the sample and the reference have in common.

use serde_json::Value;

use super::schema;

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'s> {
    pub(crate) name: &'s str,
    pub(crate) schema: &'s Value,
    pub(crate) required: bool,
}

/// A table of the file.
#[derive(Debug)]
pub(crate) struct Table<'s> {
    /// Empty for the keys outside of any table.
    pub(crate) name: &'s str,
    pub(crate) form: Form,
    pub(crate) schema: &'s Value,
    pub(crate) keys: Vec<Key<'s>>,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[name]`
    One,
    /// There may be several, each `[[name]]`.
    List,
    /// There may be several, each with a name of its own: `[name.NAME]`.
    Named,
}

impl Table<'_> {
    pub(crate) fn heading(&self) -> String {
        match (self.name, self.form) {
            ("", _) => "Top level".to_owned(),
            (name, Form::One) => format!("[{name}]"),
            (name, Form::List) => format!("[[{name}]]"),
            (name, Form::Named) => format!("[{name}.NAME]"),
        }
    }

    /// The path of `key`, as problems and `config show` write it.
    #[cfg(test)]
    pub(crate) fn path(&self, key: Key<'_>) -> String {
        match (self.name, self.form) {
            ("", _) => key.name.to_owned(),
            (name, Form::One) => format!("{name}.{}", key.name),
            (name, Form::List) => format!("{name}[].{}", key.name),
            (name, Form::Named) => format!("{name}.NAME.{}", key.name),
        }
    }
}

/// Every table of the schema of the file, the keys outside of any first, in the order of the reference.
pub(crate) fn tables(root: &Value) -> Vec<Table<'_>> {
    let (mut outside, mut tables) = (Vec::new(), Vec::new());
    for key in keys(root) {
        let (items, free) = (&key.schema["items"], &key.schema["additionalProperties"]);
        let forms = [(Form::One, key.schema), (Form::List, items), (Form::Named, free)];
        match forms.into_iter().find(|(_, table)| table.get("properties").is_some()) {
            Some((form, table)) => {
                tables.push(Table { name: key.name, form, schema: key.schema, keys: keys(table) });
            }
            None => outside.push(key),
        }
    }
    tables.insert(0, Table { name: "", form: Form::One, schema: root, keys: outside });
    tables
}

fn keys(table: &Value) -> Vec<Key<'_>> {
    let required = |name: &str| table["required"].as_array().is_some_and(|names| names.iter().any(|key| key == name));
    let properties = table["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| Key { name, schema, required: required(name) }).collect()
}

impl Key<'_> {
    /// The default, in words: a value, or what it depends on.
    pub(crate) fn default(&self) -> String {
        match (self.schema["x-default"].as_str(), self.schema.get("default")) {
            (Some(words), _) => words.to_owned(),
            (None, Some(value)) => format!("`{}`", toml(value)),
            (None, None) if self.required => "must be given".to_owned(),
            (None, None) => "none".to_owned(),
        }
    }

    /// A value that can be written here: the default if there is something in it, else an example.
    pub(crate) fn example(&self) -> Value {
        let default = self.schema.get("default").filter(|value| !is_empty(value));
        default.unwrap_or(&self.schema["examples"][0]).clone()
    }

    #[cfg(test)]
    pub(crate) fn kind(&self) -> String {
        kind(self.schema)
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

#[cfg(test)]
fn kind(schema: &Value) -> String {
    if let Some(kind) = schema["x-kind"].as_str() {
        return kind.to_owned();
    }
    if schema::words(schema).is_some() {
        return "word".to_owned();
    }
    match schema["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("array") => format!("list: {}", kind(&schema["items"])),
        Some("object") => format!("table: {}", kind(&schema["additionalProperties"])),
        _ => String::new(),
    }
}

/// The doc comment, one paragraph a line.
pub(crate) fn description(schema: &Value) -> Vec<String> {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The words that are allowed here, a line each if they have a meaning of their own.
pub(crate) fn words(schema: &Value) -> Vec<String> {
    let words = schema::words(schema).unwrap_or_default();
    if words.iter().all(|(_, meaning)| meaning.is_none()) {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        return if words.is_empty() { Vec::new() } else { vec![format!("One of {}.", words.join(", "))] };
    }
    let line = |(word, meaning): &(&str, Option<&str>)| match meaning {
        Some(meaning) => format!("`{word}`: {}", meaning.replace('\n', " ")),
        None => format!("`{word}`"),
    };
    words.iter().map(line).collect()
}

/// `value` as TOML. Text is escaped as in JSON, which TOML reads.
pub(crate) fn toml(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", list(items.iter().map(toml).collect())),
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let entry = |(key, value): (&String, &Value)| format!("{} = {}", super::tree::join("", key), toml(value));
            format!("{{ {} }}", list(table.iter().map(entry).collect()))
        }
        leaf => leaf.to_string(),
    }
}
