//! What a check found: a verdict with its evidence.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Check, Level};

/// How a promise came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Tried, and seen to hold.
    Pass,
    /// Seen to be broken.
    Fail,
    /// Broken, and known: somebody gave a reason and a date.
    Waived,
    /// It could not be tried to the point where an answer means something; `seen` says what would help.
    NotProven,
    /// There is nothing here that it could be about.
    NotApplicable,
    /// Left out on the command line.
    Skipped,
    /// The drill itself failed: no verdict on the service.
    Error,
}

impl Verdict {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Waived => "waived",
            Self::NotProven => "not proven",
            Self::NotApplicable => "n/a",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }
}

/// The verdict on one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub check: &'static Check,
    /// Usually the check's; lower where what was seen is a milder form.
    pub level: Level,
    pub verdict: Verdict,
    /// What was seen, in one sentence with numbers.
    pub seen: String,
    /// Samples: requests, times, lines of the log.
    pub evidence: Vec<String>,
    /// Why it is waived or skipped, and until when.
    pub reason: Option<String>,
}

impl Finding {
    fn new(id: &str, verdict: Verdict, seen: String) -> Self {
        let check = crate::catalogue::find(id).expect("ids of findings stand in the catalogue");
        Self { check, level: check.level, verdict, seen, evidence: Vec::new(), reason: None }
    }

    pub(crate) fn pass(id: &str, seen: impl Into<String>) -> Self {
        Self::new(id, Verdict::Pass, seen.into())
    }

    pub(crate) fn fail(id: &str, seen: impl Into<String>) -> Self {
        Self::new(id, Verdict::Fail, seen.into())
    }

    pub(crate) fn not_proven(id: &str, seen: impl Into<String>) -> Self {
        Self::new(id, Verdict::NotProven, seen.into())
    }

    pub(crate) fn not_applicable(id: &str, seen: impl Into<String>) -> Self {
        Self::new(id, Verdict::NotApplicable, seen.into())
    }

    pub(crate) fn error(id: &str, seen: impl Into<String>) -> Self {
        Self::new(id, Verdict::Error, seen.into())
    }

    pub(crate) fn skipped(id: &str, reason: impl Into<String>) -> Self {
        let mut finding = Self::new(id, Verdict::Skipped, "not tried".to_owned());
        finding.reason = Some(reason.into());
        finding
    }

    /// Adds samples, at most eight in all: a report is read by people.
    pub(crate) fn with(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        if self.evidence.len() > 8 {
            let more = self.evidence.len() - 7;
            self.evidence.truncate(7);
            self.evidence.push(format!("and {more} more"));
        }
        self
    }

    pub(crate) fn at(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Broken and not waived.
    pub fn is_broken(&self) -> bool {
        self.verdict == Verdict::Fail
    }
}
