//! Holds a tree against the schema: unknown keys, missing keys, wrong types, values that cannot be read.
//!
//! Whatever is wrong is reported and taken out of the tree, so that the rest can be typed and held against itself: one
//! mistake must not hide the next.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderName, Method};
use serde_json::Value;

use super::describe;
use super::nearest;
use super::problem::Problem;
use super::rules::Rules;
use super::tree::{self, Node, Shape};
use super::units::{
    AppPort, Argv, Bind, ByteRate, Cidr, CollectorUrl, Complaint, Destination, FilePath, HookCommand, Kind, OrOff,
    Origin, PublicProbes, Ratio, SecretSource, Signal, Size, StatusRange, Target, UrlPath, User,
};

/// Tables that later versions will read. To pass over one in silence would promise what is not done.
const LATER: [&str; 16] = [
    "route",
    "listener",
    "rate-limit",
    "access",
    "alert",
    "sink",
    "history",
    "dashboard",
    "status-page",
    "tls",
    "acme",
    "compression",
    "cache",
    "static",
    "deploy",
    "rollout",
];

/// Keys that later versions will read.
const LATER_KEYS: [&str; 1] = ["app.replicas"];

/// Words that will never be known, and why.
const NEVER_WORDS: [(&str, &str, &str, &str); 1] = [(
    "check[].affects",
    "live",
    "would restart the service when a dependency fails, which mends nothing and takes down what still works",
    "write \"ready\" for what requests cannot do without; liveness depends on the process alone",
)];

const NOT_YET: &str = "is not supported by this version yet";

type Check = fn(&Value) -> Result<(), Complaint>;

/// How the value of an `x-kind` is read. One row a kind that a raw table uses.
fn checks() -> [(std::borrow::Cow<'static, str>, Check); 27] {
    fn row<T: Kind>() -> (std::borrow::Cow<'static, str>, Check) {
        (T::name(), |value| T::read(value).map(drop))
    }
    [
        row::<AppPort>(),
        row::<Argv>(),
        row::<Bind>(),
        row::<Cidr>(),
        row::<Destination>(),
        row::<Duration>(),
        row::<FilePath>(),
        row::<HeaderName>(),
        row::<HookCommand>(),
        row::<Method>(),
        row::<OrOff<Bind>>(),
        row::<OrOff<ByteRate>>(),
        row::<OrOff<CollectorUrl>>(),
        row::<OrOff<Duration>>(),
        row::<OrOff<FilePath>>(),
        row::<OrOff<NonZeroU32>>(),
        row::<OrOff<Size>>(),
        row::<Origin>(),
        row::<PublicProbes>(),
        row::<Ratio>(),
        row::<SecretSource>(),
        row::<Signal>(),
        row::<Size>(),
        row::<StatusRange>(),
        row::<Target>(),
        row::<UrlPath>(),
        row::<User>(),
    ]
}

/// The reader of a kind, for kinds that a raw table uses.
pub(crate) fn of_kind(kind: &str) -> Option<Check> {
    checks().into_iter().find(|(name, _)| name == kind).map(|(_, check)| check)
}

/// What was found, and where.
#[derive(Debug)]
pub(crate) struct Found<'s> {
    /// Of the whole file.
    rules: &'s Rules<'s>,
    pub(crate) problems: Vec<Problem>,
    /// The paths whose values were taken out.
    pub(crate) broken: BTreeSet<String>,
}

/// Takes out of `node` whatever the rules of the file do not allow.
pub(crate) fn check<'s>(node: &mut Node, rules: &'s Rules<'s>) -> Found<'s> {
    let mut found = Found { rules, problems: Vec::new(), broken: BTreeSet::new() };
    found.node(node, rules, "");
    found
}

impl Found<'_> {
    fn refuse(&mut self, problem: Problem) -> bool {
        self.broken.insert(problem.path.clone());
        self.problems.push(problem);
        false
    }

    /// Whether `node` may stay.
    fn node(&mut self, node: &mut Node, rules: &Rules<'_>, path: &str) -> bool {
        if let Some(kind) = &rules.kind {
            return self.kind(node, kind, path);
        }
        if let Some(words) = rules.words() {
            return self.word(node, &words, path);
        }
        match rules.shape {
            Some("object") => self.table(node, rules, path),
            Some("array") => self.list(node, rules, path),
            Some(name) => self.leaf(node, name, rules, path),
            None => true,
        }
    }

    fn kind(&mut self, node: &Node, kind: &str, path: &str) -> bool {
        let check = of_kind(kind).expect("a test holds that every kind in the schema has a reader");
        let value = node.value();
        let Err(complaint) = check(&value) else { return true };
        let problem = Problem::complaint(node.origin.clone(), path, complaint);
        self.refuse(if kind == "secret" { problem } else { problem.quoting(&value) })
    }

    fn word(&mut self, node: &Node, names: &[&str], path: &str) -> bool {
        let value = node.value();
        if value.as_str().is_some_and(|text| names.contains(&text)) {
            return true;
        }
        let general = general(path);
        if let Some((.., message, hint)) = NEVER_WORDS.iter().find(|(key, word, ..)| *key == general && value == *word)
        {
            return self.refuse(Problem::new(node.origin.clone(), path, *message).quoting(&value).hint(*hint));
        }
        let near = value.as_str().and_then(|text| nearest::to(text, names.iter().copied()));
        let all =
            format!("write one of {}", names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "));
        let hint = near.map_or_else(|| all.clone(), |near| format!("did you mean \"{near}\"? {all}"));
        self.refuse(Problem::new(node.origin.clone(), path, "is not a word known here").quoting(&value).hint(hint))
    }

    fn list(&mut self, node: &mut Node, rules: &Rules<'_>, path: &str) -> bool {
        let Shape::List(items) = &mut node.shape else {
            let hint = if rules.items.as_ref().is_some_and(|items| items.shape == Some("object")) {
                format!("write it as [[{path}]]")
            } else {
                "write a list: [\"…\", \"…\"]".to_owned()
            };
            return self.refuse(Problem::new(node.origin.clone(), path, "is not a list").hint(hint));
        };
        let before = self.problems.len();
        for (index, item) in items.iter_mut().enumerate() {
            if let Some(rules) = &rules.items {
                self.node(item, rules, &tree::at(path, index));
            }
        }
        // A list with a hole would mean something else.
        let whole = self.problems.len() == before;
        if !whole {
            self.broken.insert(path.to_owned());
        }
        whole
    }

    fn table(&mut self, node: &mut Node, rules: &Rules<'_>, path: &str) -> bool {
        let Shape::Table(table) = &mut node.shape else {
            let problem =
                Problem::new(node.origin.clone(), path, "is not a table").hint(format!("write it as [{path}]"));
            return self.refuse(problem);
        };
        table.retain(|key, child| {
            let path = tree::join(path, key);
            match rules.of_key(key) {
                Some(rules) => self.node(child, rules, &path),
                None => self.unknown(child, rules, key, &path),
            }
        });
        let missing: Vec<_> = rules.required.iter().filter(|key| !table.contains_key(&***key)).collect();
        for key in &missing {
            // What was just taken out as wrong has been reported.
            if !self.broken.contains(&tree::join(path, key)) {
                let example = describe::toml(&rules.known(key).map(Rules::example).unwrap_or_default());
                let problem = Problem::new(node.origin.clone(), path, format!("has no `{key}`"));
                self.refuse(problem.hint(format!("write {key} = {example}")));
            }
        }
        missing.is_empty()
    }

    fn unknown(&mut self, node: &Node, table: &Rules<'_>, key: &str, path: &str) -> bool {
        let general = general(path);
        if LATER.contains(&path) || LATER_KEYS.contains(&general.as_str()) {
            let problem = Problem::new(node.origin.clone(), path, NOT_YET);
            return self.refuse(problem.hint("take it out: it would have no effect"));
        }
        let keys: Vec<_> = table.keys().map(|(key, _)| key).collect();
        let hint = match nearest::to(key, keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => match elsewhere(key, self.rules) {
                Some(home) => format!("did you mean `{home}`?"),
                None => format!("known here: {}", keys.join(", ")),
            },
        };
        // Its value is not quoted: nobody knows whether it is a secret.
        self.refuse(Problem::new(node.origin.clone(), path, "is not a known key").hint(hint))
    }

    fn leaf(&mut self, node: &Node, name: &str, rules: &Rules<'_>, path: &str) -> bool {
        let value = node.value();
        let complaint = match name {
            "string" => string(&value, rules),
            "boolean" => (!value.is_boolean()).then(|| Complaint::new("is not a yes or no", "write true or false")),
            "integer" => integer(&value, rules),
            _ => None,
        };
        match complaint {
            None => true,
            Some(complaint) => self.refuse(Problem::complaint(node.origin.clone(), path, complaint).quoting(&value)),
        }
    }
}

/// The path without the numbers of its items.
fn general(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn string(value: &Value, rules: &Rules<'_>) -> Option<Complaint> {
    match value.as_str() {
        None => Some(Complaint::new(
            "is not text",
            format!("write it in quotes: \"{}\"", value.to_string().replace('"', "'")),
        )),
        Some("") if rules.min_length == Some(1) => Some(Complaint::new("is empty", "write at least one character")),
        Some(_) => None,
    }
}

fn integer(value: &Value, rules: &Rules<'_>) -> Option<Complaint> {
    let least = rules.minimum.unwrap_or(0);
    let most = rules.maximum.unwrap_or(u64::MAX);
    if value.as_u64().is_some_and(|number| (least..=most).contains(&number)) {
        return None;
    }
    let range = if most == u64::MAX { format!("from {least}") } else { format!("from {least} to {most}") };
    Some(Complaint::new("is not a number that fits", format!("write a whole number {range}, without quotes")))
}

/// The one table that has `key`, if there is exactly one.
fn elsewhere(key: &str, root: &Rules<'_>) -> Option<String> {
    let mut homes = root.keys().filter(|(_, table)| table.known(key).is_some());
    match (homes.next(), homes.next()) {
        (Some((table, _)), None) => Some(format!("{table}.{key}")),
        _ => None,
    }
}
