//! A broken promise that somebody decided to live with, for a time.

use jiff::civil::Date;

use crate::catalogue;
use crate::finding::{Finding, Verdict};

/// `[[waiver]]` of `drill.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiver {
    /// An id, a group, or a prefix with `*`.
    pub(crate) check: String,
    pub(crate) reason: String,
    /// The last day on which it counts.
    pub(crate) until: Date,
}

/// Turns failures that are waived into that, and says of those whose time is over that it is.
pub(crate) fn apply(waivers: &[Waiver], today: Date, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.verdict == Verdict::Fail) {
        let mut fitting = waivers.iter().filter(|waiver| catalogue::names(&waiver.check, finding.check.id));
        let Some(waiver) = fitting.clone().find(|waiver| today <= waiver.until).or_else(|| fitting.next()) else {
            continue;
        };
        if today <= waiver.until {
            finding.verdict = Verdict::Waived;
            finding.reason = Some(format!("{} (until {})", waiver.reason, waiver.until));
        } else {
            finding.reason = Some(format!("the waiver \"{}\" ended on {}", waiver.reason, waiver.until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(until: &str) -> Waiver {
        Waiver { check: "drain.*".to_owned(), reason: "ticket 12".to_owned(), until: until.parse().unwrap() }
    }

    #[test]
    fn a_waiver_counts_on_its_last_day_and_not_after_it() {
        let today: Date = "2026-03-01".parse().unwrap();
        let mut findings = [Finding::fail("drain.exits-in-grace", "too late")];
        apply(&[waiver("2026-03-01")], today, &mut findings);
        assert_eq!(findings[0].verdict, Verdict::Waived);

        let mut findings = [Finding::fail("drain.exits-in-grace", "too late")];
        apply(&[waiver("2026-02-28")], today, &mut findings);
        assert_eq!(findings[0].verdict, Verdict::Fail);
        assert!(findings[0].reason.as_deref().unwrap().contains("ended on 2026-02-28"));
    }

    #[test]
    fn a_pass_is_never_waived() {
        let mut findings = [Finding::pass("drain.exits-in-grace", "after 1 s")];
        apply(&[waiver("2999-01-01")], "2026-03-01".parse().unwrap(), &mut findings);
        assert_eq!(findings[0].verdict, Verdict::Pass);
    }
}
