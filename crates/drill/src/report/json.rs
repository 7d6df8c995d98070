//! The report for machines. The schema is `crates/drill/report.schema.json`; fields are only ever added.

use serde::Serialize;

use super::Report;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    subject: &'a str,
    level: crate::catalogue::Level,
    passed: bool,
    seconds: f64,
    grades: Vec<Graded>,
    findings: Vec<Row<'a>>,
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<&'a crate::timeline::Timeline>,
}

#[derive(Serialize)]
struct Graded {
    group: &'static str,
    grade: Option<super::Grade>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'static str,
    level: crate::catalogue::Level,
    verdict: crate::finding::Verdict,
    title: &'static str,
    seen: &'a str,
    evidence: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    fatal: bool,
    does: &'static str,
    why: &'static str,
    source: &'static str,
    mend: &'static str,
}

pub(super) fn render(report: &Report) -> String {
    let fatal: Vec<&str> = report.fatal().map(|finding| finding.check.id).collect();
    let rows = report.findings.iter().map(|finding| Row {
        id: finding.check.id,
        level: finding.level,
        verdict: finding.verdict,
        title: finding.check.title,
        seen: &finding.seen,
        evidence: &finding.evidence,
        reason: finding.reason.as_deref(),
        fatal: fatal.contains(&finding.check.id),
        does: finding.check.does,
        why: finding.check.why,
        source: finding.check.source,
        mend: finding.check.mend,
    });
    let document = Document {
        version: 1,
        subject: &report.subject,
        level: report.level,
        passed: fatal.is_empty(),
        seconds: (report.took.as_secs_f64() * 10.0).round() / 10.0,
        grades: report.grades().into_iter().map(|(group, grade)| Graded { group, grade }).collect(),
        findings: rows.collect(),
        notes: &report.notes,
        timeline: report.timeline.as_ref(),
    };
    let mut out = serde_json::to_string_pretty(&document).expect("strings and numbers become JSON");
    out.push('\n');
    out
}

/// The ids that a report of ours has as broken: a baseline.
pub(crate) fn broken_in(report: &str) -> Result<Vec<String>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Baseline {
        findings: Vec<Known>,
    }
    #[derive(serde::Deserialize)]
    struct Known {
        id: String,
        verdict: crate::finding::Verdict,
    }
    let baseline: Baseline = serde_json::from_str(report)?;
    let broken = baseline.findings.into_iter().filter(|known| known.verdict == crate::finding::Verdict::Fail);
    Ok(broken.map(|known| known.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_the_baseline_of_the_next() {
        let report = render(&super::super::tests::sample());
        assert_eq!(broken_in(&report).unwrap(), ["drain.inflight-completes"]);
    }
}
