//! Keys that are set in the environment: `SEAWORTHY_DRAIN__DELAY=2s` is `drain.delay = "2s"`.
//!
//! `__` goes into a table, `_` is `-`, and case does not matter, except in tables whose keys are free: there the key is
//! taken as it stands (`SEAWORTHY_APP__ENV__NODE_ENV`). Lists may be separated by commas; lists and tables may be written
//! as in TOML.

mod telemetry;

use serde_json::Value;

use super::check;
use super::nearest;
use super::problem::Problem;
use super::raw::Level;
use super::rules::Rules;
use super::sources::Sources;
use super::tree::{self, Node, Origin};

const PREFIX: &str = "SEAWORTHY_";

/// Variables with our prefix that are no keys.
const NOT_KEYS: [&str; 1] = ["SEAWORTHY_CONFIG"];

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Variables {
    pub(crate) tree: Node,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

pub(crate) fn read(sources: &Sources<'_>, rules: &Rules<'_>) -> Variables {
    let mut read = Variables { tree: Node::empty(), problems: Vec::new(), warnings: Vec::new() };
    if let Some(level) = sources.variable("LOG_LEVEL") {
        read.log_level(level);
    }
    read.telemetry(sources);
    for (name, value) in &sources.environment {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        if value.is_empty() || NOT_KEYS.contains(&name.as_str()) || is_service_link(key, value) {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        match find(key, rules) {
            Ok((path, rules)) => read.tree.set(&path, &origin, typed(value, rules)),
            Err(hint) => read.problems.push(Problem::new(origin, "", "sets no known key").hint(hint)),
        }
    }
    read
}

impl Variables {
    /// The name is not ours alone, and other programs know other levels: what we do not know is no error.
    fn log_level(&mut self, text: &str) {
        let origin = Origin::Variable("LOG_LEVEL".to_owned());
        let word = match text.to_ascii_lowercase().as_str() {
            "warning" => "warn".to_owned(),
            "fatal" | "critical" => "error".to_owned(),
            other => other.to_owned(),
        };
        if serde_json::from_value::<Level>(word.as_str().into()).is_ok() {
            self.tree.set(&["log".to_owned(), "level".to_owned()], &origin, word.into());
        } else {
            let problem = Problem::new(origin, "log.level", "is not a level known here; it is passed over");
            self.warnings.push(problem.quoting(&text.into()).hint("write trace, debug, info, warn or error"));
        }
    }
}

/// The path that `key` (without the prefix) names, and what is allowed there.
fn find<'s>(key: &str, mut rules: &'s Rules<'s>) -> Result<(Vec<String>, &'s Rules<'s>), String> {
    let mut path = Vec::new();
    let mut parts = key.split("__");
    while let Some(part) = parts.next() {
        let known = part.to_ascii_lowercase().replace('_', "-");
        let free = rules.free().filter(|_| !part.is_empty());
        if let Some(next) = rules.known(&known) {
            path.push(known);
            rules = next;
        } else if let Some(free) = free {
            path.push(part.to_owned());
            rules = free;
        } else {
            let keys = rules.keys().map(|(key, _)| key);
            let near = nearest::to(&known, keys).map(|near| {
                // The rest is left as it was, right or wrong: one suggestion at a time.
                let near = path.iter().map(String::as_str).chain([near]).chain(parts).collect::<Vec<_>>().join("__");
                format!("did you mean {PREFIX}{}?", near.to_ascii_uppercase().replace('-', "_"))
            });
            return Err(near.unwrap_or_else(|| "unset it: it would have no effect".to_owned()));
        }
    }
    Ok((path, rules))
}

/// A Kubernetes Service called `seaworthy…` puts these into every container beside it (and Docker links once did).
fn is_service_link(key: &str, value: &str) -> bool {
    let url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let port_of =
        |protocol| key.contains(&format!("_{protocol}")) && (key.starts_with("PORT_") || key.contains("_PORT_"));
    key.ends_with("SERVICE_HOST")
        || key.ends_with("SERVICE_PORT")
        || key.contains("SERVICE_PORT_")
        || (url && (key == "PORT" || key.ends_with("_PORT")))
        || port_of("TCP")
        || port_of("UDP")
        || port_of("SCTP")
}

/// `text` as the value that `rules` want. What does not fit stays text, and is refused as that.
fn typed(text: &str, rules: &Rules<'_>) -> Value {
    let plain = || Value::from(text);
    let in_brackets = text.trim_start().starts_with(['[', '{']);
    if let Some(kind) = &rules.kind {
        let reads = |value: &Value| check::of_kind(kind).is_some_and(|check| check(value).is_ok());
        if !in_brackets && reads(&plain()) {
            return plain();
        }
        return tree::parse_value(text).filter(reads).unwrap_or_else(plain);
    }
    match (rules.shape, &rules.items) {
        (Some("array"), Some(items)) if !in_brackets => text.split(',').map(|item| typed(item.trim(), items)).collect(),
        (Some("string") | None, _) => plain(),
        (Some(_), _) => tree::parse_value(text).unwrap_or_else(plain),
    }
}
