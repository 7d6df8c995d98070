//! The one table of all checks: what is promised, how it is tried, and how it is mended.
//!
//! Ids are stable: waivers, baselines and pipelines name them. A check is never renamed, only retired.

use std::fmt;

mod config;
mod drain;
mod headers;
mod limits;
mod logs;
mod metrics;
mod probes;
mod resilience;
mod resources;

/// How much a broken promise matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Loses requests, data or secrets, or restarts a fleet.
    Must,
    /// Makes an outage longer or harder to see.
    Should,
    /// Good manners.
    May,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        })
    }
}

/// One promise of a service in production.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// `group.name`.
    pub id: &'static str,
    pub level: Level,
    /// The promise, as a sentence.
    pub title: &'static str,
    /// What the drill does to try it.
    pub does: &'static str,
    /// What happens in production where it does not hold.
    pub why: &'static str,
    /// Where the demand comes from.
    pub source: &'static str,
    /// What the developer of the service can do.
    pub mend: &'static str,
}

impl Check {
    pub fn group(&self) -> &'static str {
        self.id.split_once('.').map_or(self.id, |(group, _)| group)
    }
}

const GROUPS: [&[Check]; 9] = [
    probes::CHECKS,
    drain::CHECKS,
    limits::CHECKS,
    headers::CHECKS,
    logs::CHECKS,
    metrics::CHECKS,
    resilience::CHECKS,
    config::CHECKS,
    resources::CHECKS,
];

/// All checks, in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Check> {
    GROUPS.into_iter().flatten()
}

/// The check of this id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

/// Whether `pattern` names `id`: an id, a group, or a prefix that ends in `*`.
pub(crate) fn names(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => id.starts_with(prefix),
        None => id == pattern || id.split_once('.').is_some_and(|(group, _)| group == pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_carry_the_name_of_their_group() {
        let mut seen = std::collections::HashSet::new();
        for check in all() {
            assert!(seen.insert(check.id), "{} stands twice", check.id);
            let (group, name) = check.id.split_once('.').expect("group.name");
            assert!(!group.is_empty() && !name.is_empty());
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", check.id);
        }
    }

    #[test]
    fn every_check_says_what_it_does_why_where_from_and_how_to_mend() {
        for check in all() {
            for (what, text) in [
                ("title", check.title),
                ("does", check.does),
                ("why", check.why),
                ("source", check.source),
                ("mend", check.mend),
            ] {
                assert!(text.len() > 8, "{} has no {what}", check.id);
            }
            assert!(!check.title.ends_with('.'), "{}", check.id);
        }
    }

    #[test]
    fn a_pattern_names_an_id_a_group_or_a_prefix() {
        assert!(names("drain.*", "drain.exits-in-grace"));
        assert!(names("drain", "drain.exits-in-grace"));
        assert!(names("drain.exits-in-grace", "drain.exits-in-grace"));
        assert!(!names("drain.exits", "drain.exits-in-grace"));
        assert!(names("*", "probes.live-answers"));
    }
}
