//! What is asked in the background: which keys belong to which kind, and what they mean together.

mod kind;
mod machine;
mod network;
mod policy;
mod queues;
mod stores;

use seaworthy::core::health::{Affects, Dependencies};

use super::Review;
use crate::config::validated::Check;
use crate::config::{nearest, raw, tree};

/// What is to be read of one check. A `None` among its parts has been reported.
struct Entry<'r, 's> {
    review: &'r mut Review<'s>,
    raw: &'r raw::Check,
    path: String,
    /// The name of the environment.
    environment: &'r str,
    /// What `[require]` names.
    required: &'r [String],
}

impl Review<'_> {
    pub(super) fn checks(&mut self, root: &raw::Root) -> Vec<Check> {
        let (raw, required) = (&root.check, &root.require.env);
        let environment = root.environment.as_deref().unwrap_or_default();
        let mut checks: Vec<Check> = Vec::new();
        for (index, check) in raw.iter().enumerate() {
            let mut entry = Entry { review: self, raw: check, path: tree::at("check", index), environment, required };
            entry.name(raw.iter().take(index));
            entry.depends(raw);
            let Some(spec) = entry.spec() else { continue };
            let (policy, token) = (entry.policy(), entry.token());
            checks.push(Check {
                name: check.name.clone(),
                spec,
                affects: match check.affects {
                    raw::Affects::Ready => Affects::Ready,
                    raw::Affects::Health => Affects::Health,
                    raw::Affects::Info => Affects::Info,
                },
                group: check.group.clone(),
                gates_start: check.gates_start,
                interval: check.interval.0,
                timeout: check.timeout.0,
                policy,
                depends_on: check.depends_on.clone(),
                labels: check.labels.clone().into_iter().collect(),
                token,
            });
        }
        let graph = raw.iter().map(|check| (check.name.as_str(), check.depends_on.as_slice()));
        if let Err(cycle) = Dependencies::new(graph) {
            self.refuse(&["check"], cycle.to_string(), "take one of the depends-on out");
        }
        checks
    }
}

impl Entry<'_, '_> {
    fn key(&self, key: &str) -> String {
        // A key may be a path itself: `labels.team`, `addresses[0]`.
        format!("{}.{key}", self.path)
    }

    fn refuse(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let path = self.key(key);
        self.review.refuse(&[&path], message, hint);
    }

    /// Refuses `key` by an error that says what to write instead.
    fn complain(&mut self, key: &str, error: &dyn std::error::Error) {
        let text = error.to_string();
        let (message, hint) = text.split_once(": ").unwrap_or((&text, "see the page of its kind"));
        self.refuse(key, message, hint);
    }

    fn name<'c>(&mut self, mut earlier: impl Iterator<Item = &'c raw::Check>) {
        let name = &self.raw.name;
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            self.refuse("name", "is empty or holds a control character", "write one line of text");
        } else if earlier.any(|check| check.name == *name) {
            self.refuse("name", format!("= {name:?} is the name of an earlier check too"), "give each its own name");
        }
        for label in self.raw.labels.keys() {
            let valid = label.starts_with(|c: char| c.is_ascii_lowercase())
                && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !matches!(label.as_str(), "name" | "kind" | "affects" | "group");
            if !valid {
                let hint = "write a-z, 0-9 and _, and none of name, kind, affects, group";
                self.refuse(&tree::join("labels", label), "is no name for a label", hint);
            }
        }
    }

    fn depends(&mut self, all: &[raw::Check]) {
        for (index, parent) in self.raw.depends_on.iter().enumerate() {
            if !all.iter().any(|check| check.name == *parent) {
                let near = nearest::to(parent, all.iter().map(|check| check.name.as_str()));
                let hint = match near {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "write the name of another check".to_owned(),
                };
                self.refuse(&tree::at("depends-on", index), format!("= {parent:?} is the name of no check"), hint);
            }
        }
    }
}
