//! What was written, wherever it was written: a tree in which every node knows its origin.
//!
//! Layers are laid over each other before anything is typed, so that precedence is one rule for every key: a table is
//! merged key by key, everything else replaces what lies below it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the command line, by this option.
    Flag(String),
    /// In the environment, by this variable.
    Variable(String),
    File {
        path: Arc<Path>,
        /// Counted from 1.
        line: usize,
    },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "env {}", name.escape_debug()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with its origin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Never a list or a table.
    Leaf(Value),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(crate) fn empty() -> Self {
        Self { origin: Origin::Default, shape: Shape::Table(BTreeMap::new()) }
    }

    /// A value that has one origin throughout.
    pub(crate) fn new(origin: Origin, value: Value) -> Self {
        let shape = match value {
            Value::Array(items) => Shape::List(items.into_iter().map(|item| Self::new(origin.clone(), item)).collect()),
            Value::Object(table) => {
                Shape::Table(table.into_iter().map(|(key, item)| (key, Self::new(origin.clone(), item))).collect())
            }
            leaf => Shape::Leaf(leaf),
        };
        Self { origin, shape }
    }

    /// Lays `upper` over this one.
    pub(crate) fn overlay(&mut self, upper: Self) {
        match (&mut self.shape, upper.shape) {
            (Shape::Table(below), Shape::Table(above)) => {
                for (key, node) in above {
                    match below.entry(key) {
                        std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().overlay(node),
                        std::collections::btree_map::Entry::Vacant(entry) => {
                            entry.insert(node);
                        }
                    }
                }
            }
            (_, shape) => *self = Self { origin: upper.origin, shape },
        }
    }

    /// Lays `value` over what is at `path`, and whatever tables are missing on the way there.
    pub(crate) fn set(&mut self, path: &[String], origin: &Origin, value: Value) {
        let leaf = Self::new(origin.clone(), value);
        let upper = path.iter().rev().fold(leaf, |node, key| Self {
            origin: origin.clone(),
            shape: Shape::Table(BTreeMap::from([(key.clone(), node)])),
        });
        self.overlay(upper);
    }

    pub(crate) fn value(&self) -> Value {
        match &self.shape {
            Shape::Leaf(value) => value.clone(),
            Shape::List(items) => items.iter().map(Self::value).collect(),
            Shape::Table(table) => table.iter().map(|(key, node)| (key.clone(), node.value())).collect(),
        }
    }

    /// The origin of everything in the tree, by path, tables and lists included.
    pub(crate) fn origins(&self) -> BTreeMap<String, Origin> {
        let mut origins = BTreeMap::new();
        self.collect_origins("", &mut origins);
        origins
    }

    fn collect_origins(&self, path: &str, origins: &mut BTreeMap<String, Origin>) {
        match &self.shape {
            Shape::Leaf(_) => {}
            Shape::List(items) => {
                items.iter().enumerate().for_each(|(i, item)| item.collect_origins(&at(path, i), origins));
            }
            Shape::Table(table) => table.iter().for_each(|(key, node)| node.collect_origins(&join(path, key), origins)),
        }
        origins.insert(path.to_owned(), self.origin.clone());
    }
}

/// The path of `key` in the table at `path`. A key that TOML would quote is quoted.
pub(crate) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The path of the item at `index` in the list at `path`.
pub(crate) fn at(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// Reads a TOML document. What is wrong with its syntax comes back all at once, and never quotes the document: the line
/// that is wrong may be one with a secret.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Node, Vec<Problem>> {
    let lines = Lines::new(text, path);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(lines.table(document.get_ref(), lines.origin(0)));
    }
    let problem = |error: toml::de::Error| {
        let origin = lines.origin(error.span().map_or(text.len(), |span| span.start));
        Problem::new(origin, "", format!("not TOML: {}", error.message()))
    };
    Err(errors.into_iter().map(problem).collect())
}

/// Reads one TOML value, as in `["node", "server.js"]`.
pub(crate) fn parse_value(text: &str) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    Some(Lines::new(text, Path::new("")).node(value.get_ref(), Origin::Default).value())
}

/// Where the lines of a file begin.
struct Lines {
    path: Arc<Path>,
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str, path: &Path) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { path: PathBuf::from(path).into(), starts: std::iter::once(0).chain(newlines).collect() }
    }

    fn origin(&self, offset: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= offset);
        Origin::File { path: self.path.clone(), line }
    }

    /// Entries have the line of their key; the span of a table that `[a.b]` implies says nothing.
    fn table(&self, table: &DeTable<'_>, origin: Origin) -> Node {
        let entry = |(key, value): (&Spanned<_>, &Spanned<_>)| {
            let key: &Spanned<std::borrow::Cow<'_, str>> = key;
            let origin = self.origin(key.span().start);
            (key.get_ref().to_string(), self.node(value.get_ref(), origin))
        };
        Node { origin, shape: Shape::Table(table.iter().map(entry).collect()) }
    }

    fn node(&self, value: &DeValue<'_>, origin: Origin) -> Node {
        let leaf = match value {
            DeValue::Table(table) => return self.table(table, origin),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.node(item.get_ref(), self.origin(item.span().start)));
                return Node { origin, shape: Shape::List(items.collect()) };
            }
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(boolean) => (*boolean).into(),
            // A number that does not fit is kept as text, and refused as such by whoever wanted a number.
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.to_string().into(), Value::from),
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or_else(|| number.as_str().into(), Value::Number),
            DeValue::Datetime(time) => time.to_string().into(),
        };
        Node { origin, shape: Shape::Leaf(leaf) }
    }
}
