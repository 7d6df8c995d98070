//! What is asked in the background: which keys belong to which kind, and what they mean together.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy::core::health::{Affects, Class, Dependencies, OnFailure, Policy, Severity};
use seaworthy_checks::heartbeat::{Schedule, ScheduleError};
use seaworthy_checks::kinds::{
    Spec, bullmq, command, disk, dns, encryption, grpc, heartbeat, http, memory, nats, postgres, redis, tcp, tls, unset,
};
use seaworthy_checks::{Condition, Place, Trust, catalogue};

use super::Review;
use crate::config::raw;
use crate::config::raw::CheckKind;
use crate::config::units::{As, Secret, SecretSource};
use crate::config::validated::Check;
use crate::config::{nearest, tree};

/// More often than this is an attack.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Anything shorter could be guessed by whoever tries for long.
const SHORTEST_TOKEN: usize = 16;

/// In `on-failure`: every class that is not named.
const OTHERS: &str = "error";

/// What is to be read of one check. A `None` among its parts has been reported.
struct Entry<'r, 's> {
    review: &'r mut Review<'s>,
    raw: &'r raw::Check,
    path: String,
    /// The name of the environment.
    environment: &'r str,
    /// What `[require]` names.
    required: &'r [String],
}

impl Review<'_> {
    pub(super) fn checks(&mut self, root: &raw::Root) -> Vec<Check> {
        let (raw, required) = (&root.check, &root.require.env);
        let environment = root.environment.as_deref().unwrap_or_default();
        let mut checks: Vec<Check> = Vec::new();
        for (index, check) in raw.iter().enumerate() {
            let mut entry = Entry { review: self, raw: check, path: tree::at("check", index), environment, required };
            entry.name(raw.iter().take(index));
            entry.depends(raw);
            let Some(spec) = entry.spec() else { continue };
            let (policy, token) = (entry.policy(), entry.token());
            checks.push(Check {
                name: check.name.clone(),
                spec,
                affects: match check.affects {
                    raw::Affects::Ready => Affects::Ready,
                    raw::Affects::Health => Affects::Health,
                    raw::Affects::Info => Affects::Info,
                },
                group: check.group.clone(),
                gates_start: check.gates_start,
                interval: check.interval.0,
                timeout: check.timeout.0,
                policy,
                depends_on: check.depends_on.clone(),
                token,
                labels: check.labels.clone().into_iter().collect(),
            });
        }
        let graph = raw.iter().map(|check| (check.name.as_str(), check.depends_on.as_slice()));
        if let Err(cycle) = Dependencies::new(graph) {
            self.refuse(&["check"], cycle.to_string(), "take one of the depends-on out");
        }
        checks
    }
}

impl Entry<'_, '_> {
    fn key(&self, key: &str) -> String {
        // A key may be a path itself: `labels.team`, `addresses[0]`.
        format!("{}.{key}", self.path)
    }

    fn refuse(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let path = self.key(key);
        self.review.refuse(&[&path], message, hint);
    }

    /// Refuses `key` by an error that says what to write instead.
    fn complain(&mut self, key: &str, error: &dyn std::error::Error) {
        let text = error.to_string();
        let (message, hint) = text.split_once(": ").unwrap_or((&text, "see the page of its kind"));
        self.refuse(key, message, hint);
    }

    fn name<'c>(&mut self, mut earlier: impl Iterator<Item = &'c raw::Check>) {
        let name = &self.raw.name;
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            self.refuse("name", "is empty or holds a control character", "write one line of text");
        } else if earlier.any(|check| check.name == *name) {
            self.refuse("name", format!("= {name:?} is the name of an earlier check too"), "give each its own name");
        }
        for label in self.raw.labels.keys() {
            let valid = label.starts_with(|c: char| c.is_ascii_lowercase())
                && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !matches!(label.as_str(), "name" | "kind" | "affects" | "group");
            if !valid {
                let hint = "write a-z, 0-9 and _, and none of name, kind, affects, group";
                self.refuse(&tree::join("labels", label), "is no name for a label", hint);
            }
        }
    }

    fn depends(&mut self, all: &[raw::Check]) {
        for (index, parent) in self.raw.depends_on.iter().enumerate() {
            if !all.iter().any(|check| check.name == *parent) {
                let near = nearest::to(parent, all.iter().map(|check| check.name.as_str()));
                let hint = match near {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "write the name of another check".to_owned(),
                };
                self.refuse(&tree::at("depends-on", index), format!("= {parent:?} is the name of no check"), hint);
            }
        }
    }

    fn policy(&mut self) -> Policy {
        let (interval, timeout) = (self.raw.interval.0, self.raw.timeout.0);
        if interval < SHORTEST_INTERVAL {
            self.refuse("interval", "asks more than ten times a second", "write at least \"100ms\"");
        }
        let path = self.key("timeout");
        self.review.positive(&path, &self.raw.timeout);
        let age = interval.saturating_add(timeout);
        let stale_after = self.raw.stale_after.as_ref().map_or(age.saturating_mul(3), |time| time.0);
        if stale_after < age {
            let hint = "write at least as much as both together, or leave it out";
            self.refuse(
                "stale-after",
                "is over before the next result can be there: interval and timeout are longer",
                hint,
            );
        }
        Policy {
            failure_threshold: self.raw.failure_threshold,
            success_threshold: self.raw.success_threshold,
            on_failure: self.on_failure(),
            warn_latency: self.raw.warn_latency.as_ref().map(|time| time.0),
            stale_after,
        }
    }

    fn on_failure(&mut self) -> OnFailure {
        let severity = |severity: raw::Severity| match severity {
            raw::Severity::Degraded => Severity::Degraded,
            raw::Severity::Unhealthy => Severity::Unhealthy,
        };
        let others = self.raw.on_failure.get(OTHERS).map_or(Severity::Unhealthy, |others| severity(*others));
        let mut on_failure = OnFailure::all(others);
        // What is stale is not known, and a class of nobody's answer.
        let known = || Class::ALL.into_iter().filter(|class| *class != Class::Stale);
        for (name, given) in &self.raw.on_failure {
            match known().find(|class| class.name() == name) {
                Some(class) => on_failure = on_failure.with(class, severity(*given)),
                None if name == OTHERS => {}
                None => {
                    let names: Vec<_> = known().map(Class::name).chain([OTHERS]).collect();
                    let hint = match nearest::to(name, names.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("known here: {}", names.join(", ")),
                    };
                    self.refuse(&tree::join("on-failure", name), "is no class of failures", hint);
                }
            }
        }
        on_failure
    }

    /// What is asked. `None` where something about it was refused.
    fn spec(&mut self) -> Option<Spec> {
        let kind = self.raw.kind.name();
        let row = catalogue::row(kind)?;
        let given = self.raw.options();
        for option in given.iter().filter(|option| !row.options.contains(&option.as_str())) {
            let hint = if row.options.is_empty() {
                "take it out".to_owned()
            } else {
                format!("{kind} takes {}", row.options.join(", "))
            };
            self.refuse(option, format!("is no key of the kind {kind:?}"), hint);
        }
        self.either(kind, &given)?;
        for needed in row.options.iter().take(row.needs) {
            // What was given and could not be read has been reported.
            let broken = self.review.broken.contains(&self.key(needed));
            if !broken && !given.iter().any(|option| option == needed) {
                let path = self.path.clone();
                let message = format!("has no `{needed}`, which the kind {kind:?} needs");
                self.review.refuse(&[&path], message, format!("for example:\n{}", indented(row.example)));
                return None;
            }
        }
        if let Some(variable) = self.unset() {
            return Some(Spec::Unset(unset::Settings { kind: row.kind, variable }));
        }
        match self.raw.kind {
            CheckKind::Http => self.http(),
            CheckKind::Tcp => self.tcp(),
            CheckKind::Postgres => self.postgres(),
            CheckKind::Redis => self.redis(),
            CheckKind::Dns => self.dns(),
            CheckKind::Tls => self.tls(),
            CheckKind::Disk => self.disk(),
            CheckKind::Memory => Some(Spec::Memory(memory::Settings { warn_percent: self.warn_percent(90) })),
            CheckKind::Command => self.command(),
            CheckKind::Heartbeat => self.heartbeat(),
            CheckKind::Encryption => self.encryption(),
            CheckKind::Grpc => self.grpc(),
            CheckKind::Nats => self.nats(),
            CheckKind::Bullmq => self.bullmq(),
        }
    }

    /// Exactly one of the keys that stand for each other. `None` where that was refused.
    fn either(&mut self, kind: &str, given: &[String]) -> Option<()> {
        let Some((_, [one, other])) = catalogue::EITHER.iter().find(|(known, _)| *known == kind) else {
            return Some(());
        };
        let has = |key: &str| given.iter().any(|given| given == key) || self.review.broken.contains(&self.key(key));
        let (path, keys) = (self.path.clone(), [self.key(one), self.key(other)]);
        match (has(one), has(other)) {
            (true, false) | (false, true) => return Some(()),
            (true, true) => {
                let message = format!("stands beside `{other}`, which says it too");
                self.review.refuse(&[&keys[0], &keys[1]], message, "take one of them out");
            }
            (false, false) => {
                let message = format!("has neither `{one}` nor `{other}`, and the kind {kind:?} needs one of them");
                let example = catalogue::row(kind).map(|row| indented(row.example)).unwrap_or_default();
                self.review.refuse(&[&path], message, format!("for example:\n{example}"));
            }
        }
        None
    }

    /// The variable that says where to ask, if it is required and not set: then the service is not ready, and says why.
    fn unset(&self) -> Option<String> {
        let Some(As(SecretSource::Env(variable))) = &self.raw.url else { return None };
        let unset = self.required.contains(variable) && self.review.sources.variable(variable).is_none();
        unset.then(|| variable.clone())
    }

    fn http(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let target = http::Target::new(&url).map_err(|error| self.complain("url", &error)).ok();
        let method = self.raw.method.as_deref().unwrap_or("GET").parse().ok();
        if method.is_none() {
            self.refuse("method", "is no method of HTTP", "write GET or HEAD");
        }
        let mut headers = Vec::new();
        for (written, name) in self.raw.header_names() {
            match name {
                Some(name) => {
                    let value = self.secret(&tree::join("headers", written), written, &self.raw.headers[written])?;
                    headers.push((name, seaworthy_checks::Secret::new(value)));
                }
                None => self.refuse(
                    &tree::join("headers", written),
                    "is not the name of a header",
                    "write letters, digits and -",
                ),
            }
        }
        let status = self.raw.status.as_ref();
        let status =
            status.map_or_else(|| vec![200..=299], |ranges| ranges.iter().map(|range| range.0.0.clone()).collect());
        if status.is_empty() {
            self.refuse("status", "holds no status: no answer would be right", "write [\"2xx\"], or leave it out");
        }
        if self.raw.json.is_some() && self.raw.condition.is_none() {
            self.refuse(
                "json",
                "points at a value that nothing is demanded of",
                "write a condition, as in condition = \"= ok\"",
            );
        }
        let condition = self.condition()?;
        Some(Spec::Http(Box::new(http::Settings {
            target: target?,
            method: method?,
            headers,
            status,
            condition,
            json: self.raw.json.clone(),
            trust: self.trust(),
            validity: self.validity(),
        })))
    }

    fn tcp(&mut self) -> Option<Spec> {
        let place = self.place()?;
        Some(Spec::Tcp(tcp::Settings { place, send: self.raw.send.clone(), expect: self.raw.expect.clone() }))
    }

    fn postgres(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let ca_file = self.raw.ca_file.as_ref().map(|file| file.0.0.clone());
        let server = postgres::Server::new(&url, ca_file).map_err(|error| self.complain("url", &error)).ok()?;
        let condition = self.condition()?;
        let query = self.raw.query.clone();
        let warn_percent = self.warn_percent(80);
        Some(Spec::Postgres(Box::new(postgres::Settings { server, query, condition, warn_percent })))
    }

    fn redis(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = redis::Server::new(&url, self.trust(), self.raw.sentinel.clone());
        let server = server.map_err(|error| self.complain("url", &error)).ok()?;
        Some(Spec::Redis(Box::new(redis::Settings { server, warn_percent: self.warn_percent(80) })))
    }

    fn dns(&mut self) -> Option<Spec> {
        let host = self.raw.host.clone()?;
        let mut addresses = std::collections::BTreeSet::new();
        for (index, text) in self.raw.addresses.iter().enumerate() {
            match text.parse() {
                Ok(address) => {
                    addresses.insert(address);
                }
                Err(_) => {
                    self.refuse(&tree::at("addresses", index), "is no address", "write it as \"10.0.0.7\" or \"::1\"");
                }
            }
        }
        Some(Spec::Dns(dns::Settings { host, addresses }))
    }

    fn tls(&mut self) -> Option<Spec> {
        let place = self.place()?;
        let server_name = self.raw.server_name.clone();
        if server_name.is_none() && matches!(place, Place::Unix(_)) {
            self.refuse(
                "address",
                "is a socket, which has no name that a certificate could be for",
                "write server-name too",
            );
        }
        Some(Spec::Tls(tls::Settings { place, server_name, trust: self.trust(), validity: self.validity() }))
    }

    fn disk(&mut self) -> Option<Spec> {
        Some(Spec::Disk(disk::Settings {
            path: self.raw.path.as_ref()?.0.0.clone(),
            min_free: self.raw.min_free.as_ref().map(|size| size.0.0),
            warn_percent: self.warn_percent(90),
            write_test: self.raw.write_test.unwrap_or(false),
        }))
    }

    fn command(&mut self) -> Option<Spec> {
        let mut env = BTreeMap::new();
        for (name, source) in &self.raw.env {
            let value = self.secret(&tree::join("env", name), name, source)?;
            env.insert(name.clone(), seaworthy_checks::Secret::new(value));
        }
        Some(Spec::Command(command::Settings {
            command: self.raw.command.as_ref()?.0.0.clone(),
            env,
            exit_code: i32::from(self.raw.exit_code.unwrap_or(0)),
            condition: self.condition()?,
        }))
    }

    fn heartbeat(&mut self) -> Option<Spec> {
        let raw = self.raw;
        let schedule = match (&raw.within, &raw.schedule) {
            (Some(within), _) => {
                let path = self.key("within");
                if raw.time_zone.is_some() {
                    self.refuse(
                        "time-zone",
                        "has no schedule to be for",
                        "write schedule in place of within, or take it out",
                    );
                }
                Some(Schedule::Every(self.review.positive(&path, within)))
            }
            (None, Some(expression)) => {
                let key = |error: &ScheduleError| {
                    if matches!(error, ScheduleError::Zone(_)) { "time-zone" } else { "schedule" }
                };
                let schedule = Schedule::cron(expression, raw.time_zone.as_deref().unwrap_or("UTC"));
                schedule.map_err(|error| self.complain(key(&error), &error)).ok()
            }
            (None, None) => None,
        };
        let max_duration = raw.max_duration.as_ref().map(|time| {
            let path = self.key("max-duration");
            self.review.positive(&path, time)
        });
        let grace = raw.grace.as_ref().map_or(Duration::ZERO, |grace| grace.0);
        Some(Spec::Heartbeat(heartbeat::Settings { name: raw.name.clone(), schedule: schedule?, grace, max_duration }))
    }

    /// By what a sign of life is taken from the public.
    fn token(&mut self) -> Option<Secret> {
        let source = self.raw.token.as_ref()?;
        let token = self.secret("token", "token", source)?;
        if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message =
                format!("is no token: it has fewer than {SHORTEST_TOKEN} characters, or others than plain ASCII");
            self.refuse("token", message, "make one, as with `openssl rand -hex 32`");
        }
        Some(Secret::new(token))
    }

    /// A key that is not set is what the check is there to find, so it is no error here.
    fn encryption(&mut self) -> Option<Spec> {
        let source = self.raw.key.as_ref()?;
        let unset = matches!(&source.0, SecretSource::Env(name) if self.review.sources.variable(name).is_none());
        let key = if unset { None } else { Some(seaworthy_checks::Secret::new(self.secret("key", "key", source)?)) };
        Some(Spec::Encryption(encryption::Settings { key, environment: self.environment.to_owned() }))
    }

    fn grpc(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = grpc::Server::new(&url).map_err(|error| self.complain("url", &error)).ok()?;
        let service = self.raw.service.clone().unwrap_or_default();
        Some(Spec::Grpc(Box::new(grpc::Settings { server, service, trust: self.trust() })))
    }

    fn nats(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = nats::Server::new(&url, self.trust()).map_err(|error| self.complain("url", &error)).ok()?;
        let mut consumers = Vec::new();
        for (index, text) in self.raw.consumers.iter().enumerate() {
            match text.parse() {
                Ok(consumer) => consumers.push(consumer),
                Err(error @ nats::ConsumerError) => self.complain(&tree::at("consumers", index), &error),
            }
        }
        Some(Spec::Nats(Box::new(nats::Settings { server, consumers, warn_pending: self.raw.warn_pending })))
    }

    fn bullmq(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = redis::Server::new(&url, self.trust(), self.raw.sentinel.clone());
        let server = server.map_err(|error| self.complain("url", &error)).ok()?;
        let prefix = self.raw.prefix.clone().unwrap_or_else(|| "bull".to_owned());
        let (queues, warn_pending) = (self.raw.queues.clone(), self.raw.warn_pending);
        Some(Spec::Bullmq(Box::new(bullmq::Settings { server, queues, prefix, warn_pending })))
    }

    fn secret(&mut self, key: &str, name: &str, source: &As<SecretSource>) -> Option<String> {
        let path = self.key(key);
        match self.review.secret(&path, name, &source.0) {
            Ok(secret) => {
                let value = secret.expose().to_owned();
                self.review.secrets.insert(path, secret);
                Some(value)
            }
            Err(complaint) => {
                self.review.refuse(&[&path], complaint.message, complaint.hint.unwrap_or_default());
                None
            }
        }
    }

    fn url(&mut self) -> Option<String> {
        let source = self.raw.url.as_ref()?;
        self.secret("url", "url", source)
    }

    fn place(&mut self) -> Option<Place> {
        let address = self.raw.address.as_ref()?;
        address.parse().map_err(|error| self.complain("address", &error)).ok()
    }

    /// The condition, if there is one; the outer `None` is one that was refused.
    #[allow(clippy::option_option, reason = "a condition that is wrong is not one that is absent")]
    fn condition(&mut self) -> Option<Option<Condition>> {
        let Some(text) = &self.raw.condition else { return Some(None) };
        text.parse().map(Some).map_err(|error| self.complain("condition", &error)).ok()
    }

    fn trust(&self) -> Trust {
        Trust::from(self.raw.ca_file.as_ref().map(|file| file.0.0.clone()))
    }

    fn warn_percent(&self, otherwise: u8) -> u8 {
        self.raw.warn_percent.unwrap_or(otherwise)
    }

    fn validity(&mut self) -> tls::Validity {
        let usual = tls::Validity::default();
        let fail_days = self.raw.fail_days.unwrap_or(usual.fail_days);
        let warn_days = self.raw.warn_days.unwrap_or(usual.warn_days.max(fail_days));
        if warn_days < fail_days {
            let message = format!("= {warn_days} comes after the failure: fail-days is {fail_days}");
            self.refuse("warn-days", message, "write at least as many days as fail-days");
        }
        tls::Validity { warn_days, fail_days }
    }
}

fn indented(example: &str) -> String {
    example.lines().map(|line| format!("      {line}")).collect::<Vec<_>>().join("\n")
}
