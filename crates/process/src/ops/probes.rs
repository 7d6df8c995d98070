//! The probes: from what is asked and what is known to an answer. Knows neither socket nor clock.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use seaworthy::core::health::{Check, Snapshot};
use seaworthy::core::refusal::Reason;
use seaworthy::probes::{Manner, PATHS, Report, Subject, holds, without};
use seaworthy_core::accept::Accept;
use serde_json::{Map, Value, json};

use super::answer::{Answer, JSON};
use super::facts::{Facts, Identity};
use super::format;
use super::token::Token;
use crate::config::{self, Details, ProbeFormat, Verdict};
use crate::shape::{Shape, View};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    /// `None` over a unix socket, which has permissions of its own.
    pub(crate) address: Option<IpAddr>,
    /// Whether it certainly asks from this machine, and not through a proxy on it; or brings the token.
    pub(crate) local: bool,
}

/// A probe, as it was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    /// The header `Accept`; empty where there is none.
    pub(crate) accept: &'a str,
    pub(crate) asker: Asker,
}

/// Answers probes as the config says. Pure: a verdict depends on the facts that are handed in, and on nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Probes {
    settings: config::Probes,
    /// What `[require]` names, there or not.
    required: Vec<String>,
    identity: Identity,
    /// Whoever brings it sees what is shown on this machine.
    token: Option<Arc<Token>>,
}

impl Probes {
    pub(crate) fn new(settings: config::Probes, required: Vec<String>, identity: Identity) -> Self {
        let token = settings.token.as_ref().and_then(Token::new).map(Arc::new);
        Self { settings, required, identity, token }
    }

    /// The probes of a config.
    pub(crate) fn of(config: &config::Config) -> Self {
        let identity =
            Identity { service: config.service.clone(), version: config.version.clone(), info: config.info.clone() };
        Self::new(config.probes.clone(), config.require.env.clone(), identity)
    }

    /// Whether a request with these headers is as good as one from this machine.
    pub(super) fn believes(&self, headers: &HeaderMap) -> bool {
        self.token.as_ref().is_some_and(|token| token.is_in(headers))
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn settings(&self) -> &config::Probes {
        &self.settings
    }

    /// Every path that answers one of the verdicts, those of the config first.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, Verdict)> {
        let configured = self.settings.paths.iter().map(|(path, verdict)| (path.as_str(), *verdict));
        let built_in = PATHS.into_iter().filter(|(path, _)| !self.settings.paths.contains_key(*path));
        configured.chain(built_in)
    }

    /// Whether a probe is at `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        self.subject(path).is_some()
    }

    /// What `path` asks about. Paths of the config go before the built-in ones.
    fn subject<'a>(&self, path: &'a str) -> Option<Subject<'a>> {
        let configured = self.settings.paths.get(path).map(|verdict| Subject::Verdict(*verdict));
        configured.or_else(|| Subject::of(path))
    }

    /// The verdict that `path` answers, where it is one of the four.
    pub(super) fn verdict_at(&self, path: &str) -> Option<Verdict> {
        match self.subject(path)? {
            Subject::Verdict(verdict) => Some(verdict),
            Subject::Check(_) | Subject::Group(_) | Subject::Dependencies => None,
        }
    }

    /// The answer to a probe; `None` where the path is none.
    pub(crate) fn answer(&self, ask: &Ask<'_>, facts: &Facts) -> Option<Answer> {
        let subject = self.subject(ask.path)?;
        if !self.admits(ask.asker) {
            return Some(Answer::refusal(Reason::Forbidden, "probes are answered to the networks in probes.allow"));
        }
        let manner = match Manner::of(ask.query, format::by_name) {
            Ok(manner) => manner,
            Err(error) => {
                let problem = format!("{error}: use {}", format::names());
                return Some(Answer::refusal(Reason::BadRequest, problem));
            }
        };
        let chosen = manner.format.or_else(|| format::named(&Accept::parse(ask.accept)));
        let (known, identity) = (&facts.known, &self.identity);
        let snapshot = without(&known.snapshot, &manner.exclude);
        let report = match subject {
            Subject::Verdict(verdict) => Report::of_verdict(verdict, &snapshot, known, identity, manner.verbose),
            Subject::Check(name) => {
                let checks: Vec<_> = snapshot.checks.iter().filter(|check| check.name == name).collect();
                match Report::of_checks(name, checks, known, identity) {
                    Some(report) => report,
                    None => return Some(unknown("check", snapshot.checks.iter().map(|check| check.name.as_str()))),
                }
            }
            Subject::Group(name) => {
                let of_group = |check: &&Check| check.group.as_deref() == Some(&*name);
                let checks: Vec<_> = snapshot.checks.iter().filter(of_group).collect();
                match Report::of_checks(name, checks, known, identity) {
                    Some(report) => report,
                    None => return Some(unknown("group", groups(&snapshot))),
                }
            }
            Subject::Dependencies => return Some(self.dependencies(&snapshot)),
        };
        let report = Report { verbose: manner.verbose, details: self.shows_details(ask.asker), ..report };
        let format = chosen.unwrap_or_else(|| format::of(self.settings.format));
        // Whoever takes JSON takes the shape: it is what this path answers. Only `?format=default` asks past it.
        let shape = self.settings.shapes.get(ask.path).filter(|_| match chosen {
            None => true,
            Some(row) => manner.format.is_none() && row.format == ProbeFormat::Default,
        });
        let Some((shape, verdict)) = shape.zip(report.verdict) else { return Some((format.write)(&report)) };
        Some(shaped(shape, verdict, &report, facts))
    }

    fn admits(&self, asker: Asker) -> bool {
        let allow = &self.settings.allow;
        let inside = |address| allow.iter().any(|network| network.contains(address));
        allow.is_empty() || asker.address.is_none_or(inside)
    }

    fn shows_details(&self, asker: Asker) -> bool {
        match self.settings.details {
            Details::Loopback => asker.local,
            Details::Always => true,
            Details::Never => false,
        }
    }

    /// Whether everything is there that the service depends on, name by name.
    fn dependencies(&self, snapshot: &Snapshot) -> Answer {
        let checks = snapshot.checks.iter().map(|check| (check.name.as_str(), holds(check.status) && !check.fails()));
        let required = self.required.iter().map(|name| (name.as_str(), !snapshot.missing.contains(name)));
        let all: Vec<_> = checks.chain(required).collect();
        let missing: Vec<_> = all.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
        let details: Map<_, _> = all.iter().map(|(name, there)| ((*name).to_owned(), Value::Bool(*there))).collect();
        let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Answer::json(status, &json!({ "satisfied": missing.is_empty(), "missing": missing, "details": details }))
    }
}

/// The answer in a shape of the config; in the default one where that fails.
fn shaped(shape: &Shape, verdict: Verdict, report: &Report<'_>, facts: &Facts) -> Answer {
    let Facts { known, sample } = facts;
    let view = View {
        verdict: verdict.name(),
        status: report.status,
        passes: report.passes,
        lifecycle: known.state.name(),
        instant: known.now.instant,
        wall: known.now.wall,
        uptime: known.uptime,
        snapshot: known.snapshot.clone(),
        details: report.details,
        sample: sample.clone(),
    };
    match shape.render(view) {
        Ok(body) => {
            shape.failed(false);
            Answer::verdict(report.passes, JSON, body)
        }
        Err(error) => {
            let fault = shape.failed(true).then(|| error.to_string());
            Answer { fault, ..(format::of(ProbeFormat::Default).write)(report) }
        }
    }
}

fn groups(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let mut groups: Vec<_> = snapshot.checks.iter().filter_map(|check| check.group.as_deref()).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter()
}

/// What was asked for is not repeated: it was written by whoever asked.
fn unknown<'a>(what: &str, known: impl Iterator<Item = &'a str>) -> Answer {
    let known: Vec<_> = known.take(50).collect();
    let detail = match known.as_slice() {
        [] => format!("there is no {what}"),
        known => format!("no {what} has this name; there are: {}", known.join(", ")),
    };
    Answer::refusal(Reason::NoRoute, detail)
}
