//! What is told in the end, and in which form.

use std::time::Duration;

use serde::Serialize;

use crate::catalogue::Level;
use crate::finding::{Finding, Verdict};
use crate::timeline::Timeline;

pub(crate) mod github;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod text;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
    Junit,
    Markdown,
    Github,
}

/// The result of a drill.
#[derive(Debug)]
pub(crate) struct Report {
    /// The command, or the address.
    pub(crate) subject: String,
    /// What is fatal.
    pub(crate) level: Level,
    /// In the order of the catalogue.
    pub(crate) findings: Vec<Finding>,
    pub(crate) notes: Vec<String>,
    pub(crate) timeline: Option<Timeline>,
    pub(crate) took: Duration,
    /// Ids that the baseline had as broken: shown, not fatal.
    pub(crate) known: Vec<String>,
}

/// How a group came out: A when nothing is broken, F when two musts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Grade {
    A,
    B,
    C,
    D,
    F,
}

impl Report {
    pub(crate) fn render(&self, format: Format) -> String {
        match format {
            Format::Text => text::render(self, false),
            Format::Json => json::render(self),
            Format::Junit => junit::render(self),
            Format::Markdown => markdown::render(self),
            Format::Github => github::render(self),
        }
    }

    /// Broken, at a level that counts, and not in the baseline.
    pub(crate) fn fatal(&self) -> impl Iterator<Item = &Finding> {
        let counts = |finding: &&Finding| {
            finding.is_broken() && finding.level <= self.level && !self.known.iter().any(|id| id == finding.check.id)
        };
        self.findings.iter().filter(counts)
    }

    /// Groups in order, with their grade. A group of which nothing was judged has none.
    pub(crate) fn grades(&self) -> Vec<(&'static str, Option<Grade>)> {
        let mut groups: Vec<&'static str> = self.findings.iter().map(|finding| finding.check.group()).collect();
        groups.dedup();
        groups.into_iter().map(|group| (group, self.grade(group))).collect()
    }

    fn grade(&self, group: &str) -> Option<Grade> {
        let own: Vec<&Finding> = self.findings.iter().filter(|finding| finding.check.group() == group).collect();
        let judged = |finding: &&&Finding| matches!(finding.verdict, Verdict::Pass | Verdict::Fail | Verdict::Waived);
        if !own.iter().any(|finding| judged(&finding)) {
            return None;
        }
        let broken = |level| own.iter().filter(|finding| finding.is_broken() && finding.level == level).count();
        Some(match (broken(Level::Must), broken(Level::Should), broken(Level::May)) {
            (0, 0, 0) => Grade::A,
            (0, 0 | 1, _) => Grade::B,
            (0, _, _) => Grade::C,
            (1, _, _) => Grade::D,
            _ => Grade::F,
        })
    }

    /// The three mends that would matter most: by level, then in the order of the catalogue.
    pub(crate) fn mends(&self) -> Vec<&Finding> {
        let mut broken: Vec<&Finding> = self.findings.iter().filter(|finding| finding.is_broken()).collect();
        broken.sort_by_key(|finding| finding.level);
        broken.dedup_by_key(|finding| finding.check.mend);
        broken.truncate(3);
        broken
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

/// Text within XML. Control characters that XML 1.0 has no place for become a question mark.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Report {
        Report {
            subject: "node server.js".to_owned(),
            level: Level::Must,
            findings: vec![
                Finding::pass("probes.live-answers", "10 of 10 answers"),
                Finding::fail("drain.inflight-completes", "2 of 3 requests <lost>")
                    .with(["GET /slow: reset".to_owned()]),
                Finding::not_proven("drain.upload-completes", "no path takes an upload"),
            ],
            notes: vec!["GET / answers 404".to_owned()],
            timeline: None,
            took: Duration::from_secs(12),
            known: Vec::new(),
        }
    }

    #[test]
    fn a_broken_must_is_fatal_until_the_baseline_knows_it() {
        let mut report = sample();
        assert_eq!(report.fatal().count(), 1);
        report.known.push("drain.inflight-completes".to_owned());
        assert_eq!(report.fatal().count(), 0);
    }

    #[test]
    fn a_group_is_graded_by_what_is_broken_in_it() {
        assert_eq!(sample().grades(), [("probes", Some(Grade::A)), ("drain", Some(Grade::D))]);
    }

    #[test]
    fn nothing_a_service_says_breaks_the_xml() {
        assert_eq!(xml("<a href=\"x\">&\u{1b}[0m"), "&lt;a href=&quot;x&quot;&gt;&amp;?[0m");
        let junit = sample().render(Format::Junit);
        assert!(junit.contains("&lt;lost&gt;"), "{junit}");
    }

    #[test]
    fn each_form_names_the_broken_promise_and_its_mend() {
        for format in [Format::Text, Format::Json, Format::Junit, Format::Markdown, Format::Github] {
            let out = sample().render(format);
            assert!(out.contains("drain.inflight-completes"), "{format:?}: {out}");
            assert!(out.contains("Handle SIGTERM"), "{format:?}: {out}");
        }
    }
}
