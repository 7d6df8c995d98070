//! From what is written to what is meant: fills in the defaults that depend on the machine, finds the secrets, and refuses
//! what contradicts itself.
//!
//! Defaults are written back into the raw tables, so that `config show` shows what is in force.

mod app;
mod checks;
mod drain;
mod egress;
mod migrate;
mod observe;
mod protect;
mod shapes;
mod telemetry;
mod top;

#[cfg(test)]
pub(crate) use self::observe::PROBE_PATHS;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::problem::Problem;
use super::raw::{Root, Time};
use super::sources::Sources;
use super::tree::{self, Origin};
use super::units::{As, Complaint, Secret, SecretSource, duration};
use super::validated::{Config, Require};

/// The tables under review, and what was found so far.
pub(crate) struct Review<'a> {
    pub(crate) sources: &'a Sources<'a>,
    /// Where each path was given; what is missing is a default.
    pub(crate) origins: BTreeMap<String, Origin>,
    /// Paths whose values were refused before. What depends on them is not judged: a default stands in their place.
    pub(crate) broken: BTreeSet<String>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Review<'_> {
    /// The whole configuration. It is to be used only if there are no problems.
    pub(crate) fn config(&mut self, raw: &mut Root) -> Config {
        let withheld = egress::withheld(raw);
        let app = self.app(&mut raw.app, withheld);
        let (drain, stop) = self.drain_and_stop(&mut raw.drain, &mut raw.stop);
        let upstream = self.upstream(raw);
        let top = self.top(raw);
        let probes = self.probes(raw, &top);
        let checks = self.checks(raw);
        let (egress_listen, egress) = self.egress(raw, [Some(&top.listen), top.admin.as_ref()]);
        self.reachable(top.admin.as_ref(), &probes);
        let release = raw.version.as_ref().map(|version| format!("{}@{version}", top.service));
        let sentry = self.sentry(&mut raw.sentry, &top.environment, release);
        Config {
            version: raw.version.clone(),
            listen: top.listen,
            admin: top.admin,
            workers: raw.workers,
            trusted_proxies: plain(&raw.trusted_proxies),
            state_dir: top.state_dir,
            control: top.control,
            app,
            start: self.start(&raw.start),
            drain,
            stop,
            restart: self.restart(&raw.restart),
            migrate: self.migrations(raw, &top.service, &checks),
            service: top.service,
            probes,
            info: raw.info.clone(),
            require: self.require(&raw.require.env),
            log: self.log(&mut raw.log, &top.environment),
            environment: top.environment,
            metrics: self.metrics(&raw.metrics),
            statsd: Self::statsd(&mut raw.statsd),
            request_id: self.request_id(raw),
            trace: self.trace(&mut raw.trace),
            sentry,
            audit: self.audit(&raw.audit),
            headers: super::validated::Headers { preset: raw.headers.preset },
            cors: self.cors(&raw.cors),
            connection_limit: Self::connection_limit(&raw.connection_limit),
            limits: self.limits(&raw.limits),
            checks,
            upstream,
            egress_listen,
            egress,
        }
    }

    fn require(&mut self, names: &[String]) -> Require {
        for (index, name) in names.iter().enumerate() {
            self.variable_name(&tree::at("require.env", index), name);
        }
        Require { env: names.to_vec() }
    }

    /// The origin of a path: its own, or that of what it is part of.
    fn origin(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            if let Some(origin) = self.origins.get(path) {
                return origin.clone();
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Origin::Default,
            }
        }
    }

    fn given(&self, path: &str) -> bool {
        self.origins.contains_key(path)
    }

    /// Refuses what the values at `paths` say together. The problem points to the first that somebody gave, so that
    /// `message` must name them all.
    fn refuse(&mut self, paths: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        if paths.iter().any(|path| self.broken.contains(*path)) {
            return;
        }
        let path = paths.iter().find(|path| self.given(path)).unwrap_or(&paths[0]);
        self.problems.push(Problem::new(self.origin(path), *path, message).hint(hint));
        if let [path] = paths {
            // What is wrong by itself is not held against others too.
            self.broken.insert((*path).to_owned());
        }
    }

    fn warn(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.warnings.push(Problem::new(self.origin(path), path, message).hint(hint));
    }

    /// A time that must not be 0.
    fn positive(&mut self, path: &str, time: &Time) -> Duration {
        if time.0.is_zero() {
            self.refuse(&[path], "= \"0s\" leaves no time at all", "write at least \"1ms\"");
        }
        time.0
    }

    /// Refuses the `path` = `shorter` that is longer than `than` = `longer`.
    fn at_most(&mut self, (path, shorter): (&str, Duration), (than, longer): (&str, Duration), hint: &str) {
        if shorter > longer {
            let (shorter, longer) = (duration::written(shorter), duration::written(longer));
            self.refuse(&[path, than], format!("does not fit: {path} is {shorter}, {than} is {longer}"), hint);
        }
    }

    fn variable_name(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.contains(['=', '\0']) {
            self.refuse(&[path], "is not the name of an environment variable", "write a name without = in it");
        }
    }

    /// The environment of a program. The values are found now, so that a missing one is known before anything starts.
    fn environment(&mut self, path: &str, env: &BTreeMap<String, As<SecretSource>>) -> BTreeMap<String, Secret> {
        let mut found = BTreeMap::new();
        for (name, source) in env {
            let path = tree::join(path, name);
            self.variable_name(&path, name);
            match self.secret(&path, name, &source.0) {
                Ok(secret) => {
                    self.secrets.insert(path, secret.clone());
                    found.insert(name.clone(), secret);
                }
                Err(complaint) => self.refuse(&[&path], complaint.message, complaint.hint.unwrap_or_default()),
            }
        }
        found
    }

    /// What strangers bring to be believed. `None` where it was refused.
    fn token(&mut self, path: &str, source: &As<SecretSource>) -> Option<Secret> {
        // Anything shorter could be guessed by whoever tries for long.
        const SHORTEST: usize = 16;
        let token = match self.secret(path, "token", &source.0) {
            Ok(token) => token,
            Err(complaint) => {
                self.refuse(&[path], complaint.message, complaint.hint.unwrap_or_default());
                return None;
            }
        };
        if token.expose().len() < SHORTEST || !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("is no token: it has fewer than {SHORTEST} characters, or others than plain ASCII");
            self.refuse(&[path], message, "make one, as with `openssl rand -hex 32`");
        }
        self.secrets.insert(path.to_owned(), token.clone());
        Some(token)
    }

    fn secret(&mut self, path: &str, name: &str, source: &SecretSource) -> Result<Secret, Complaint> {
        match source {
            SecretSource::Env(variable) => {
                self.sources.variable(variable).map(|value| Secret::new(value.to_owned())).ok_or_else(|| {
                    let message = format!("names the environment variable {variable:?}, which is not set or empty");
                    Complaint::new(message, "set it, or take the key out")
                })
            }
            SecretSource::File(file) => self.secret_file(file),
            SecretSource::Literal(secret) => {
                if matches!(self.origin(path), Origin::File { .. }) && looks_secret(name, secret.expose()) {
                    let hint = "write { env = \"NAME\" } or { file = \"/run/secrets/name\" }";
                    self.warn(path, "looks like a secret, in plain text in the file", hint);
                }
                Ok(secret.clone())
            }
        }
    }

    fn secret_file(&self, file: &Path) -> Result<Secret, Complaint> {
        let name = file.display();
        let text = (self.sources.read)(file).map_err(|error| {
            let message = format!("names the file {name}, which cannot be read: {error}");
            Complaint::new(message, "mount the secret there, readable for our user")
        })?;
        // An editor or `echo` ends a file with a newline that is no part of the secret.
        let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        if text.is_empty() {
            return Err(Complaint::new(format!("names the file {name}, which is empty"), "write the secret into it"));
        }
        if text.contains('\0') {
            let message = format!("names the file {name}, which holds a NUL byte");
            return Err(Complaint::new(message, "no environment variable can carry one"));
        }
        Ok(Secret::new(text.to_owned()))
    }
}

/// Whether a name or a value is one that secrets usually have.
fn looks_secret(name: &str, value: &str) -> bool {
    const PARTS: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "KEY"];
    let name = name.to_ascii_uppercase();
    let in_url = value.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    PARTS.iter().any(|part| name.contains(part)) || in_url.is_some_and(|(user, _)| user.contains(':'))
}

/// The values without what serde needed.
fn plain<T: Clone>(values: &[As<T>]) -> Vec<T> {
    values.iter().map(|value| value.0.clone()).collect()
}
