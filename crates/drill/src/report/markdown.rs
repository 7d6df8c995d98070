//! Markdown for a pull request or a wiki.

use std::fmt::Write as _;

use super::Report;
use crate::finding::Verdict;

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "## Drill of `{}`\n", report.subject.replace('`', "'"));
    let grades = report.grades();
    let grades = grades.iter().filter_map(|(group, grade)| Some(format!("{group} **{:?}**", (*grade)?)));
    let _ = writeln!(out, "{}\n", grades.collect::<Vec<_>>().join(" · "));
    out.push_str("| | check | level | seen |\n| --- | --- | --- | --- |\n");
    for finding in &report.findings {
        let mark = match finding.verdict {
            Verdict::Pass => "✅",
            Verdict::Fail => "❌",
            Verdict::Waived => "🟡",
            Verdict::Error => "⚠️",
            Verdict::NotProven | Verdict::NotApplicable | Verdict::Skipped => "➖",
        };
        let seen = if finding.verdict == Verdict::Pass || finding.verdict == Verdict::Fail {
            finding.seen.clone()
        } else {
            format!("{}: {}", finding.verdict.word(), finding.seen)
        };
        let reason = finding.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let _ =
            writeln!(out, "| {mark} | `{}` | {} | {}{} |", finding.check.id, finding.level, cell(&seen), cell(&reason));
    }
    let mends = report.mends();
    if !mends.is_empty() {
        out.push_str("\n### What to mend first\n\n");
        for (place, finding) in mends.iter().enumerate() {
            let _ = writeln!(
                out,
                "{}. **{}** (`{}`): {}",
                place + 1,
                finding.check.title,
                finding.check.id,
                finding.check.mend
            );
        }
    }
    if let Some(timeline) = &report.timeline {
        let _ = writeln!(
            out,
            "\n<details><summary>Timeline of the drain</summary>\n\n```text\n{}```\n\n</details>",
            timeline.text()
        );
    }
    out
}

/// What a service said must not end the cell, nor become markup.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('<', "&lt;")
}
