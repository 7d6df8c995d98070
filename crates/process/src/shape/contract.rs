//! The names that a template may use. The guide lists them, and a test holds the two against each other.

use seaworthy_checks::catalogue;

use super::Known;
use crate::config::nearest;

/// What is under a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    /// A value.
    Value,
    Table(&'static [(&'static str, Node)]),
    /// One table a check, by its name.
    Checks,
    /// What the kind of a check measures, by the name of the metric.
    Measures,
    /// The labels of a check.
    Labels,
    /// The keys of `[info]`.
    Info,
    /// Anything.
    App,
}

use Node::{App, Checks, Info, Labels, Measures, Table, Value};

/// Every name.
pub(super) const ROOT: &[(&str, Node)] = &[
    ("status", Value),
    ("passes", Value),
    ("verdict", Value),
    ("lifecycle", Value),
    ("timestamp", Value),
    ("unix", Value),
    ("started_at", Value),
    ("uptime", Table(&[("seconds", Value), ("exact", Value), ("human", Value)])),
    ("service", Value),
    ("version", Value),
    ("environment", Value),
    ("info", Info),
    ("require", Table(&[("satisfied", Value), ("missing", Value)])),
    ("checks", Checks),
    (
        "process",
        Table(&[
            ("count", Value),
            ("rss", Value),
            ("cpu", Table(&[("total", Value), ("user", Value), ("system", Value)])),
            ("threads", Value),
            ("fds", Value),
        ]),
    ),
    (
        "system",
        Table(&[
            ("hostname", Value),
            ("platform", Value),
            ("arch", Value),
            ("cpus", Value),
            ("memory", Table(&[("total", Value), ("available", Value), ("free", Value)])),
        ]),
    ),
    ("app", App),
];

/// What is known of one check.
pub(super) const CHECK: &[(&str, Node)] = &[
    ("name", Value),
    ("kind", Value),
    ("status", Value),
    ("ok", Value),
    ("class", Value),
    ("error", Value),
    ("latency_ms", Value),
    ("latency", Value),
    ("affects", Value),
    ("group", Value),
    ("since", Value),
    ("last_checked", Value),
    ("consecutive_failures", Value),
    ("flapping", Value),
    ("because_of", Value),
    ("labels", Labels),
    ("measures", Measures),
];

/// A name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Whether `name`, with dots between its parts, is one that a template may use.
pub(super) fn check(name: &str, known: &Known) -> Result<(), Unknown> {
    let mut parts = name.split('.');
    let mut node = Table(ROOT);
    let mut at = String::new();
    let mut kind = "";
    for part in parts.by_ref() {
        node = match node {
            App => return app(known),
            Value => {
                let message = format!("`{at}` is one value, and has no `{part}`");
                return Err(Unknown { message, hint: format!("write {{{{ {at} }}}}") });
            }
            Table(names) => find(names, part, &at)?,
            Checks => {
                let check = known.checks.iter().find(|check| check.name == part);
                kind = check.map(|check| check.kind).unwrap_or_default();
                let names = || known.checks.iter().map(|check| check.name.as_str());
                check.map(|_| Table(CHECK)).ok_or_else(|| unknown(part, "no check has the name", names()))?
            }
            Measures => {
                let names = || catalogue::row(kind).into_iter().flat_map(|row| row.metrics).map(|metric| metric.name);
                let what = format!("a check of the kind {kind:?} measures no");
                names().find(|name| *name == part).map(|_| Value).ok_or_else(|| unknown(part, &what, names()))?
            }
            Labels => {
                let name = at.split('.').nth(1).unwrap_or_default();
                let check = known.checks.iter().find(|check| check.name == name);
                let names = || check.into_iter().flat_map(|check| &check.labels).map(|(label, _)| label.as_str());
                let found = names().any(|label| label == part).then_some(Value);
                found.ok_or_else(|| unknown(part, &format!("the check {name:?} has no label"), names()))?
            }
            Info => {
                let names = || known.info.keys().map(String::as_str);
                let found = known.info.contains_key(part).then_some(Value);
                found.ok_or_else(|| unknown(part, "[info] has no", names()))?
            }
        };
        if !at.is_empty() {
            at.push('.');
        }
        at.push_str(part);
    }
    if matches!(node, App) { app(known) } else { Ok(()) }
}

fn app(known: &Known) -> Result<(), Unknown> {
    if known.asks_app {
        return Ok(());
    }
    let message = "`app` is what the program answers, and it is not asked".to_owned();
    Err(Unknown { message, hint: "name a path of it in probes.app-path".to_owned() })
}

fn find(names: &'static [(&'static str, Node)], part: &str, at: &str) -> Result<Node, Unknown> {
    let found = names.iter().find(|(name, _)| *name == part).map(|(_, node)| *node);
    found.ok_or_else(|| {
        let what = if at.is_empty() { "there is no".to_owned() } else { format!("`{at}` has no") };
        unknown(part, &what, names.iter().map(|(name, _)| *name))
    })
}

fn unknown<'n>(part: &str, what: &str, names: impl Iterator<Item = &'n str>) -> Unknown {
    let names: Vec<_> = names.collect();
    let hint = match nearest::to(part, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "take it out".to_owned(),
        None => format!("known here: {}", names.join(", ")),
    };
    Unknown { message: format!("{what} `{part}`"), hint }
}
