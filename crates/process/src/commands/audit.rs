//! `seaworthy audit`: whether the trail is whole.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use seaworthy::audit::{self, Link, Seal, Verified};
use serde_json::{Value, json};

use super::config::load;
use super::output::{Output, Tone};
use crate::cli::{Audit, AuditVerify, OutputFormat};
use crate::exit_code::ExitCode;

pub(super) fn audit(command: &Audit, output: Output) -> ExitCode {
    match command {
        Audit::Verify(command) => verify(command, output),
    }
}

fn verify(command: &AuditVerify, output: Output) -> ExitCode {
    let loaded = match load(&command.config, output) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let configured = loaded.config.audit.as_ref();
    let key = configured.and_then(|audit| audit.key.as_ref());
    let seal = key.map_or_else(Seal::plain, |key| Seal::keyed(key.expose().as_bytes()));
    let mut files = command.files.clone();
    if files.is_empty() {
        files.extend(configured.map(|audit| audit.path.clone()));
    }
    if files.is_empty() {
        let message = "no trail is configured: set `audit.path`, or name the files";
        return output.error(message, ExitCode::Failed);
    }
    let mut checked = Vec::new();
    let mut before = None;
    for (index, path) in files.iter().enumerate() {
        // Only the last one has the end of the chain.
        match check(path, &seal, before, index + 1 == files.len()) {
            Ok(verified) => {
                before = verified.last.or(before);
                checked.push((path.clone(), verified));
            }
            Err(error) => return output.error(&format!("{}: {error}", path.display()), ExitCode::Failed),
        }
    }
    let text = match output.form(command.form) {
        OutputFormat::Json => checked.iter().fold(String::new(), |text, checked| text + &json_of(checked) + "\n"),
        OutputFormat::Text => checked.iter().fold(String::new(), |text, checked| text + &text_of(checked, output)),
    };
    let whole = checked.iter().all(|(_, verified)| verified.findings.is_empty());
    match output.result(&text) {
        ExitCode::Clean if !whole => ExitCode::Failed,
        code => code,
    }
}

fn check(path: &Path, seal: &Seal, before: Option<Link>, end: bool) -> std::io::Result<Verified> {
    let trail = File::open(path)?;
    // Read before the trail: what is written meanwhile stands behind it.
    let head = if end { audit::read_head(&audit::head_path(path))? } else { None };
    audit::verify(BufReader::new(trail), seal, before, head)
}

fn json_of((path, verified): &(PathBuf, Verified)) -> String {
    let finding = |finding: &audit::Finding| json!({ "line": finding.line, "problem": finding.to_string() });
    let findings: Vec<Value> = verified.findings.iter().map(finding).collect();
    let last = verified.last;
    json!({
        "file": path,
        "entries": verified.entries,
        "first": verified.first,
        "last": last.map(|last| last.number),
        "last_time": verified.last_time,
        "hash": last.map(|last| last.hash.to_string()),
        "findings": findings,
    })
    .to_string()
}

fn text_of((path, verified): &(PathBuf, Verified), output: Output) -> String {
    let path = path.display();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match (verified.first, verified.last) {
        (Some(first), Some(last)) => {
            writeln!(text, "{path}: entries {first} to {}, the last of {}", last.number, verified.last_time)
        }
        _ => writeln!(text, "{path}: no entries"),
    };
    if let Some(first) = verified.first.filter(|first| *first > 1) {
        let _ = writeln!(text, "  what comes before entry {first} is in an older file");
    }
    for finding in &verified.findings {
        let _ = writeln!(text, "  {} {finding}", output.paint(Tone::Bad, "✗"));
    }
    if let (true, Some(last)) = (verified.findings.is_empty(), verified.last) {
        let _ = writeln!(
            text,
            "  {} every line is as it was written; its hash is {}",
            output.paint(Tone::Good, "✓"),
            last.hash
        );
    }
    text
}
