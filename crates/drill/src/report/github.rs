//! Annotations of a GitHub workflow: one line a broken promise.

use std::fmt::Write as _;

use super::Report;

pub(super) fn render(report: &Report) -> String {
    let fatal: Vec<&str> = report.fatal().map(|finding| finding.check.id).collect();
    let mut out = String::new();
    for finding in report.findings.iter().filter(|finding| finding.is_broken()) {
        let kind = if fatal.contains(&finding.check.id) { "error" } else { "warning" };
        let mut text = format!("{}\n{}", finding.check.title, finding.seen);
        for line in &finding.evidence {
            let _ = write!(text, "\n  {line}");
        }
        let _ = write!(text, "\nMend: {}", finding.check.mend);
        let _ = writeln!(out, "::{kind} title={}::{}", property(finding.check.id), data(&text));
    }
    let _ = writeln!(
        out,
        "::notice title=seaworthy drill::{}",
        data(&format!("{} checks, {} broken promises that count", report.findings.len(), fatal.len()))
    );
    out
}

/// The workflow command escapes of GitHub's runner: what a service wrote must not become a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
