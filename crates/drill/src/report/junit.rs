//! JUnit XML, as pipelines read it: a group is a suite, a check a case.

use std::fmt::Write as _;

use super::{Report, xml};
use crate::finding::{Finding, Verdict};

pub(super) fn render(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let fatal: Vec<&str> = report.fatal().map(|finding| finding.check.id).collect();
    let _ = writeln!(
        out,
        "<testsuites name=\"seaworthy drill\" tests=\"{}\" failures=\"{}\" time=\"{:.1}\">",
        report.findings.len(),
        fatal.len(),
        report.took.as_secs_f64()
    );
    for (group, _) in report.grades() {
        let own: Vec<&Finding> = report.findings.iter().filter(|finding| finding.check.group() == group).collect();
        let failures = own.iter().filter(|finding| fatal.contains(&finding.check.id)).count();
        let skipped = own.iter().filter(|finding| is_skipped(finding, &fatal)).count();
        let errors = own.iter().filter(|finding| finding.verdict == Verdict::Error).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{group}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">",
            own.len()
        );
        for finding in own {
            case(&mut out, finding, &fatal);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn is_skipped(finding: &Finding, fatal: &[&str]) -> bool {
    let passed = matches!(finding.verdict, Verdict::Pass | Verdict::Error);
    !passed && !fatal.contains(&finding.check.id)
}

fn case(out: &mut String, finding: &Finding, fatal: &[&str]) {
    let (id, seen) = (finding.check.id, xml(&finding.seen));
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{id}: {}\"",
        finding.check.group(),
        xml(finding.check.title)
    );
    match finding.verdict {
        Verdict::Pass => out.push_str("/>\n"),
        Verdict::Error => {
            let _ = writeln!(out, "><error message=\"{seen}\"/></testcase>");
        }
        Verdict::Fail if fatal.contains(&id) => {
            let evidence = xml(&finding.evidence.join("\n"));
            let _ = writeln!(
                out,
                "><failure type=\"{}\" message=\"{seen}\">{evidence}\nwhy: {}\nmend: {}\nsource: {}</failure></testcase>",
                finding.level,
                xml(finding.check.why),
                xml(finding.check.mend),
                xml(finding.check.source)
            );
        }
        verdict => {
            let reason = finding.reason.as_deref().map(|reason| format!(" ({})", xml(reason))).unwrap_or_default();
            let level = finding.level;
            let _ = writeln!(out, "><skipped message=\"{} ({level}): {seen}{reason}\"/></testcase>", verdict.word());
        }
    }
}
