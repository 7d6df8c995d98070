//! `seaworthy doctor`: every check once, each with what to do about it.

mod advice;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use seaworthy::core::event::Nowhere;
use seaworthy::core::health::{Class, Outcome, Run};
use seaworthy_checks::kinds::Spec;
use seaworthy_checks::{Fact, Idle, Surroundings};
use serde::Serialize;
use serde_json::{Map, Value};

use super::output::{Output, Tone};
use crate::cli::{Doctor, OutputFormat};
use crate::config::{Check, Config};
use crate::exit_code::ExitCode;
use crate::monitor;
use crate::run::missing;
use crate::supervise::{Commands, Lines, OutputLine, Reaper};

/// What was found.
#[derive(Debug, Serialize)]
struct Findings {
    ok: bool,
    checks: Vec<Finding>,
    required: Vec<Required>,
}

/// What was found of one check.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    kind: &'static str,
    status: Mark,
    latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    facts: Map<String, Value>,
}

/// A name of `[require]`.
#[derive(Debug, Serialize)]
struct Required {
    name: String,
    set: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Ok,
    Warning,
    Failed,
    /// It cannot be judged from here.
    Skipped,
}

pub(super) fn doctor(command: &Doctor, output: Output) -> ExitCode {
    let loaded = match super::config::load(&command.file, output) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.error(&format!("no runtime: {error}"), ExitCode::Failed),
    };
    let config = &loaded.config;
    if config.checks.is_empty() && config.require.env.is_empty() {
        return output.done("nothing to look at: the config has neither [[check]] nor [require]");
    }
    let checks = match runtime.block_on(examine(config)) {
        Ok(checks) => checks,
        Err(error) => return output.error(&error, ExitCode::Failed),
    };
    // A look that never came back must not keep us here.
    runtime.shutdown_background();
    let unset = missing(config);
    let required = |name: &String| Required { name: name.clone(), set: !unset.contains(name) };
    let ok = unset.is_empty() && checks.iter().all(|finding| finding.status != Mark::Failed);
    let findings = Findings { ok, checks, required: config.require.env.iter().map(required).collect() };
    let text = match output.form(command.form) {
        OutputFormat::Text => text(&findings, output),
        OutputFormat::Json => match serde_json::to_string(&findings) {
            Ok(json) => json + "\n",
            Err(error) => return output.error(&format!("cannot be written as JSON: {error}"), ExitCode::Failed),
        },
    };
    match output.result(&text) {
        ExitCode::Clean if !ok => ExitCode::Failed,
        code => code,
    }
}

/// Runs all of them at once: they take as long as the slowest.
async fn examine(config: &Config) -> Result<Vec<Finding>, String> {
    let sink = Arc::new(Nowhere);
    let reaper = Reaper::start(sink.clone()).map_err(|error| format!("the reaper cannot be started: {error}"))?;
    let commands = Commands::of(&config.app, Arc::new(Unheard), sink, reaper).map_err(|error| error.to_string())?;
    let surroundings = monitor::surroundings(commands, Arc::new(Idle));
    let tasks: Vec<_> =
        config.checks.iter().map(|check| tokio::spawn(look(check.clone(), surroundings.clone()))).collect();
    let mut findings = Vec::with_capacity(tasks.len());
    for (task, check) in tasks.into_iter().zip(&config.checks) {
        let finding = task.await;
        findings.push(finding.map_err(|error| format!("the check {:?} could not be run: {error}", check.name))?);
    }
    Ok(findings)
}

async fn look(check: Check, surroundings: Surroundings) -> Finding {
    let kind = check.spec.kind();
    let blank = Finding {
        name: check.name.clone(),
        kind,
        status: Mark::Skipped,
        latency_ms: None,
        class: None,
        error: None,
        advice: None,
        facts: Map::new(),
    };
    let elsewhere = match check.spec {
        Spec::Heartbeat(_) => Some("signs of life go to the process that runs: see `seaworthy status`"),
        Spec::Upstream(_) => Some("requests are counted by the process that runs: see `seaworthy status`"),
        _ => None,
    };
    if let Some(error) = elsewhere {
        return Finding { error: Some(error.to_owned()), ..blank };
    }
    let mut probe = check.spec.clone().probe(surroundings);
    let (run, facts) = seaworthy_checks::examine(&mut *probe, check.timeout).await;
    judged(&check, run, facts, blank)
}

fn judged(check: &Check, run: Run, facts: Vec<Fact>, blank: Finding) -> Finding {
    let Run { began, ended, outcome, .. } = run;
    let took = ended.saturating_duration_since(began);
    let slow = check.policy.warn_latency.filter(|most| took > *most);
    let slow = slow.map(|most| format!("it took {took:.1?}, longer than {most:?}"));
    let (status, class, error) = match outcome {
        Outcome::Passed { warning } => match warning.or(slow) {
            None => (Mark::Ok, None, None),
            warning => (Mark::Warning, Some(Class::Condition), warning),
        },
        Outcome::Failed { class, error } => (Mark::Failed, Some(class), Some(error)),
    };
    Finding {
        status,
        latency_ms: Some(milliseconds(took)),
        class: class.map(Class::name),
        error,
        advice: class.map(|class| advice::on(blank.kind, class, status == Mark::Warning)),
        facts: facts.into_iter().map(|Fact { name, value }| (name.to_owned(), value.into())).collect(),
        ..blank
    }
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e4).round() / 10.0
}

fn text(findings: &Findings, output: Output) -> String {
    let mut text = String::new();
    let names = findings.checks.iter().map(|finding| finding.name.chars().count());
    let width = names.max().unwrap_or_default().max(REQUIRED.len());
    // Writing to a string cannot fail.
    for Required { name, set } in &findings.required {
        let (mark, word) = if *set { (Mark::Ok, "is set") } else { (Mark::Failed, "is not set, or empty") };
        let _ = writeln!(text, "{} {REQUIRED:width$}  {name} {word}", mark.sign(output));
    }
    for finding in &findings.checks {
        let Finding { name, kind, status, .. } = finding;
        let _ = write!(text, "{} {name:width$}  {kind:9}", status.sign(output));
        if let Some(latency) = finding.latency_ms {
            let _ = write!(text, "  {latency:7.1} ms");
        }
        if let Some(class) = finding.class.filter(|_| *status == Mark::Failed) {
            let _ = write!(text, "  {class}:");
        }
        if let Some(error) = &finding.error {
            let _ = write!(text, " {}", one_line(error));
        }
        text.push('\n');
        let facts = finding.facts.iter().map(|(name, value)| format!("{name} {}", value.as_str().unwrap_or_default()));
        let facts = Some(facts.collect::<Vec<_>>().join(", ")).filter(|facts| !facts.is_empty());
        let advice = finding.advice.map(|advice| format!("→ {advice}"));
        for below in facts.into_iter().chain(advice) {
            let _ = writeln!(text, "  {:width$}  {}", "", one_line(&below));
        }
    }
    text
}

/// What stands in the place of a check's name before a name of `[require]`.
const REQUIRED: &str = "required";

impl Mark {
    fn sign(self, output: Output) -> String {
        let (sign, tone) = match self {
            Self::Ok => ("✓", Tone::Good),
            Self::Warning => ("⚠", Tone::Warning),
            Self::Failed => ("✗", Tone::Bad),
            Self::Skipped => ("-", Tone::Dim),
        };
        output.paint(tone, sign)
    }
}

/// Whatever a server said, it is one line.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Drops the output of commands: what of it matters is in the error.
struct Unheard;

impl Lines for Unheard {
    fn line(&self, _: OutputLine<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Output = Output { quiet: false, terminal: true, colour: false };

    fn finding(name: &str, kind: &'static str, status: Mark) -> Finding {
        let (name, latency_ms) = (name.to_owned(), Some(2.31));
        Finding { name, kind, status, latency_ms, class: None, error: None, advice: None, facts: Map::new() }
    }

    #[test]
    fn each_line_says_how_it_is_why_and_what_to_do() {
        let facts = Map::from_iter([("version".to_owned(), "15.8".into())]);
        let findings = Findings {
            ok: false,
            checks: vec![
                Finding { facts, ..finding("database", "postgres", Mark::Ok) },
                Finding {
                    class: Some("refused"),
                    error: Some("127.0.0.1:6379:\nrefused".to_owned()),
                    advice: Some(advice::on("redis", Class::Refused, false)),
                    ..finding("cache", "redis", Mark::Failed)
                },
            ],
            required: vec![Required { name: "API_KEY".to_owned(), set: false }],
        };
        assert_eq!(
            text(&findings, PLAIN),
            "\
✗ required  API_KEY is not set, or empty
✓ database  postgres       2.3 ms
            version 15.8
✗ cache     redis          2.3 ms  refused: 127.0.0.1:6379: refused
            → is it running, and does it listen there? check the address, and what stands between
"
        );
    }
}
