//! What is asked: which keys belong to which kind, and what several kinds read alike.

use seaworthy_checks::kinds::{Spec, unset};
use seaworthy_checks::{Condition, Identity, Place, Tls, Trust, catalogue};

use super::Entry;
use crate::config::raw::CheckKind;
use crate::config::units::{As, FilePath, SecretSource};

impl Entry<'_, '_> {
    /// What is asked. `None` where something about it was refused.
    pub(super) fn spec(&mut self) -> Option<Spec> {
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
            CheckKind::Mysql => self.mysql(),
            CheckKind::Redis => self.redis(),
            CheckKind::Dns => self.dns(),
            CheckKind::Tls => self.tls(),
            CheckKind::Disk => self.disk(),
            CheckKind::Memory => Some(self.memory()),
            CheckKind::Command => self.command(),
            CheckKind::Heartbeat => self.heartbeat(),
            CheckKind::Encryption => self.encryption(),
            CheckKind::Grpc => self.grpc(),
            CheckKind::Nats => self.nats(),
            CheckKind::Amqp => self.amqp(),
            CheckKind::Bullmq => self.bullmq(),
            CheckKind::Upstream => Some(self.upstream()),
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

    pub(super) fn secret(&mut self, key: &str, name: &str, source: &As<SecretSource>) -> Option<String> {
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

    pub(super) fn url(&mut self) -> Option<String> {
        let source = self.raw.url.as_ref()?;
        self.secret("url", "url", source)
    }

    pub(super) fn place(&mut self) -> Option<Place> {
        let address = self.raw.address.as_ref()?;
        address.parse().map_err(|error| self.complain("address", &error)).ok()
    }

    /// The condition, if there is one; the outer `None` is one that was refused.
    #[allow(clippy::option_option, reason = "a condition that is wrong is not one that is absent")]
    pub(super) fn condition(&mut self) -> Option<Option<Condition>> {
        let Some(text) = &self.raw.condition else { return Some(None) };
        text.parse().map(Some).map_err(|error| self.complain("condition", &error)).ok()
    }

    /// How TLS is spoken, where it is.
    pub(super) fn secured(&mut self) -> Tls {
        let file = |key: &Option<As<FilePath>>| key.as_ref().map(|file| file.0.0.clone());
        let identity = match (file(&self.raw.cert_file), file(&self.raw.key_file)) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            (certificate, _) => {
                let (given, other) =
                    if certificate.is_some() { ("cert-file", "key-file") } else { ("key-file", "cert-file") };
                self.refuse(given, "is of no use alone", format!("write {other} too"));
                None
            }
        };
        Tls { trust: Trust::from(file(&self.raw.ca_file)), identity }
    }

    pub(super) fn warn_percent(&self, otherwise: u8) -> u8 {
        self.raw.warn_percent.unwrap_or(otherwise)
    }
}

fn indented(example: &str) -> String {
    example.lines().map(|line| format!("      {line}")).collect::<Vec<_>>().join("\n")
}
