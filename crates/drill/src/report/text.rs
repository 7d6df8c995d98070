//! The report for people at a terminal.

use std::fmt::Write as _;

use super::Report;
use crate::finding::{Finding, Verdict};

/// `colour` only where a terminal reads it.
pub(crate) fn render(report: &Report, colour: bool) -> String {
    let mut out = String::new();
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    for note in &report.notes {
        let _ = writeln!(out, "note: {}", clean(note));
    }
    for (group, grade) in report.grades() {
        let grade = grade.map_or_else(|| "not judged".to_owned(), |grade| format!("{grade:?}"));
        let _ = writeln!(out, "\n{}  {grade}", paint("1", group));
        for finding in report.findings.iter().filter(|finding| finding.check.group() == group) {
            finding_lines(&mut out, finding, &paint);
        }
    }
    if let Some(timeline) = &report.timeline {
        let _ = writeln!(out, "\nThe drain, in seconds from the signal (x: lost)\n{}", timeline.text().trim_end());
    }
    let mends = report.mends();
    if !mends.is_empty() {
        out.push_str("\nWhat to mend first\n");
        for (place, finding) in mends.iter().enumerate() {
            let _ = writeln!(out, "  {}. {} ({})", place + 1, finding.check.title, finding.check.id);
            let _ = writeln!(out, "     {}", finding.check.mend);
        }
    }
    let fatal = report.fatal().count();
    let _ = writeln!(
        out,
        "\n{} promises: {} held, {} broken ({fatal} of them fatal at level {}), {} waived, {} not proven, {} not applicable, {} skipped, {} errors; {:.0} s",
        report.findings.len(),
        report.count(Verdict::Pass),
        report.count(Verdict::Fail),
        report.level,
        report.count(Verdict::Waived),
        report.count(Verdict::NotProven),
        report.count(Verdict::NotApplicable),
        report.count(Verdict::Skipped),
        report.count(Verdict::Error),
        report.took.as_secs_f64(),
    );
    out
}

fn finding_lines(out: &mut String, finding: &Finding, paint: &impl Fn(&str, &str) -> String) {
    let word = format!("{:<10}", finding.verdict.word());
    let word = match finding.verdict {
        Verdict::Pass => paint("32", &word),
        Verdict::Fail => paint("31;1", &word),
        Verdict::Waived | Verdict::NotProven | Verdict::Error => paint("33", &word),
        Verdict::NotApplicable | Verdict::Skipped => paint("2", &word),
    };
    let _ = writeln!(out, "  {word} {:<6} {}", finding.level.to_string(), finding.check.id);
    let _ = writeln!(out, "                    {}", clean(&finding.seen));
    if let Some(reason) = &finding.reason {
        let _ = writeln!(out, "                    {}", clean(reason));
    }
    if finding.verdict != Verdict::Pass {
        for line in &finding.evidence {
            let _ = writeln!(out, "                      - {}", clean(line));
        }
    }
    if finding.is_broken() {
        let _ = writeln!(out, "                    mend: {}", finding.check.mend);
    }
}

/// What a service wrote may hold escape sequences that a terminal would obey.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect()
}
