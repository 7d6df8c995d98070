//! What a template sees. A value is made when it is looked up: a shape that names two checks of a thousand pays for two.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use seaworthy::core::health::{Check, Class, Measure, Status};
use seaworthy_checks::catalogue::{self, Metric};

use super::app::{App, Paths};
use super::contract::{CHECK, ROOT};
use super::{Known, Process, System, View};

/// All names.
#[derive(Debug)]
pub(super) struct Scope(Arc<Seen>);

/// What is seen.
#[derive(Debug)]
struct Seen {
    known: Arc<Known>,
    view: View,
    app: Arc<Paths>,
}

impl Scope {
    pub(super) fn new(known: Arc<Known>, view: View, app: Arc<Paths>) -> Self {
        Self(Arc::new(Seen { known, view, app }))
    }

    fn value(&self, name: &str) -> Option<Value> {
        let Seen { known, view, app } = &*self.0;
        Some(match name {
            "status" => view.status.into(),
            "passes" => view.passes.into(),
            "verdict" => view.verdict.into(),
            "lifecycle" => view.lifecycle.into(),
            "timestamp" => written(view.wall).into(),
            "unix" => view.wall.as_second().into(),
            "started_at" => written(ago(view.wall, view.uptime)).into(),
            "uptime" => table([
                ("seconds", view.uptime.as_secs().into()),
                ("exact", Value::from((view.uptime.as_secs_f64() * 1e3).round() / 1e3)),
                ("human", human(view.uptime).into()),
            ]),
            "service" => known.service.as_str().into(),
            "version" => optional(known.version.as_deref()),
            "environment" => known.environment.as_str().into(),
            "info" => known.info.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            "require" => {
                let missing = &view.snapshot.missing;
                let names = missing.iter().map(String::as_str).collect::<Value>();
                table([("satisfied", missing.is_empty().into()), ("missing", names)])
            }
            "checks" => Value::from_object(Checks(self.0.clone())),
            "process" => process(view.sample.process.as_ref()),
            "system" => system(view.sample.system.as_ref()),
            "app" => Value::from_object(App::new(view.sample.app.clone(), app.clone())),
            _ => return None,
        })
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.value(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(ROOT.iter().map(|(name, _)| Value::from(*name)).collect())
    }
}

/// Every check that is configured, by its name.
#[derive(Debug)]
struct Checks(Arc<Seen>);

impl Object for Checks {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let known = self.0.known.checks.iter().position(|check| check.name == name)?;
        // A reload takes checks away a moment before it takes shapes away.
        let found = self.0.view.snapshot.checks.iter().position(|check| check.name == name);
        Some(Value::from_object(One { seen: self.0.clone(), known, found }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.known.checks.iter().map(|check| Value::from(check.name.as_str())).collect())
    }
}

/// One check.
#[derive(Debug)]
struct One {
    seen: Arc<Seen>,
    /// Its place among the checks that are configured.
    known: usize,
    /// And among those of which something was found.
    found: Option<usize>,
}

impl One {
    fn check(&self) -> Option<&Check> {
        let found = self.found.and_then(|place| self.seen.view.snapshot.checks.get(place));
        found.or_else(|| self.seen.known.checks.get(self.known))
    }

    fn value(&self, name: &str) -> Option<Value> {
        let (check, view) = (self.check()?, &self.seen.view);
        let at = |instant: Option<Instant>| {
            let at = instant.map(|at| ago(view.wall, view.instant.saturating_duration_since(at)));
            optional(at.map(written))
        };
        Some(match name {
            "name" => check.name.as_str().into(),
            "kind" => check.kind.into(),
            "status" => check.status.name().into(),
            "ok" => (!check.fails() && check.status != Status::Pending).into(),
            "class" => optional(check.class.map(Class::name)),
            "error" => optional(check.error.as_deref().filter(|_| view.details)),
            "latency_ms" => optional(check.latency.map(milliseconds)),
            "latency" => optional(check.latency.map(|latency| latency.as_secs_f64())),
            "affects" => check.affects.name().into(),
            "group" => optional(check.group.as_deref()),
            "since" => at(check.since),
            "last_checked" => at(check.last_checked),
            "consecutive_failures" => check.consecutive_failures.into(),
            "flapping" => check.flapping.into(),
            "because_of" => optional(check.because_of.as_deref()),
            "labels" => self
                .seen
                .known
                .checks
                .get(self.known)?
                .labels
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
            "measures" => {
                let metrics = catalogue::row(check.kind).into_iter().flat_map(|row| row.metrics);
                metrics.map(|metric| (metric.name, measured(metric, &check.measures))).collect()
            }
            _ => return None,
        })
    }
}

impl Object for One {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.value(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(CHECK.iter().map(|(name, _)| Value::from(*name)).collect())
    }
}

/// A number; where the metric has labels a list of them, each with its `value`.
fn measured(metric: &Metric, measures: &[Measure]) -> Value {
    let mut of_metric = measures.iter().filter(|measure| measure.name == metric.name);
    if metric.labels.is_empty() {
        return optional(of_metric.next().map(|measure| number(measure.value)));
    }
    let entry = |measure: &Measure| {
        let labels = measure.labels.iter().map(|(name, value)| (*name, Value::from(value.as_str())));
        labels.chain([("value", number(measure.value))]).collect::<Value>()
    };
    of_metric.map(entry).collect()
}

/// A whole number is shown as one: 473, not 473.0.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and fits")]
    let whole = || value as i64;
    if value.fract() == 0.0 && value.abs() <= EXACT { whole().into() } else { value.into() }
}

/// Rounded; what took less than half a millisecond took none.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from((time.as_micros() + 500) / 1000).unwrap_or(u64::MAX)
}

fn process(process: Option<&Process>) -> Value {
    let seconds = |time: Duration| (time.as_secs_f64() * 1e3).round() / 1e3;
    let number = |of: fn(&Process) -> u64| optional(process.map(of));
    let cpu = |of: fn(&Process) -> Duration| optional(process.map(|process| seconds(of(process))));
    table([
        ("count", optional(process.map(|process| process.count))),
        ("rss", number(|process| process.rss)),
        (
            "cpu",
            table([
                ("total", cpu(|process| process.user + process.system)),
                ("user", cpu(|process| process.user)),
                ("system", cpu(|process| process.system)),
            ]),
        ),
        ("threads", number(|process| process.threads)),
        ("fds", number(|process| process.fds)),
    ])
}

fn system(system: Option<&System>) -> Value {
    let bytes = |of: fn(&System) -> u64| optional(system.map(of));
    table([
        ("hostname", optional(system.map(|system| system.hostname.as_str()))),
        ("platform", std::env::consts::OS.into()),
        ("arch", std::env::consts::ARCH.into()),
        ("cpus", optional(system.map(|system| system.cpus))),
        (
            "memory",
            table([
                ("total", bytes(|system| system.memory_total)),
                ("available", bytes(|system| system.memory_available)),
                ("free", bytes(|system| system.memory_free)),
            ]),
        ),
    ])
}

fn table<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    entries.into_iter().collect()
}

/// What is not there is `null`, and not an unknown name.
fn optional<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::from(()), Into::into)
}

fn written(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn ago(now: Timestamp, time: Duration) -> Timestamp {
    SignedDuration::try_from(time).ok().and_then(|time| now.checked_sub(time).ok()).unwrap_or(Timestamp::MIN)
}

/// `36s`, `2m 5s`, `1h 0m 9s`, `3d 4h 0m 0s`: as `pretty-ms` and its like write it.
fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = [(days, 'd'), (hours, 'h'), (minutes, 'm'), (seconds % 60, 's')];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    parts[first..].iter().map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}
