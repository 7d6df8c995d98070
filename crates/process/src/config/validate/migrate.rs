//! Migrations, and what keeps two of them from running at once.

use std::collections::BTreeSet;

use ring::digest;
use seaworthy_checks::kinds::Spec;

use super::Review;
use crate::config::raw::{self, CheckKind, Root};
use crate::config::validated::{Check, Migration, MigrationLock};
use crate::config::{nearest, tree};

impl Review<'_> {
    pub(super) fn migrations(&mut self, root: &Root, service: &str, checks: &[Check]) -> Vec<Migration> {
        let mut names = BTreeSet::new();
        let mut migrations = Vec::new();
        for (index, migrate) in root.migrate.iter().enumerate() {
            let path = tree::at("migrate", index);
            let name = tree::join(&path, "name");
            if !names.insert(migrate.name.as_str()) {
                let message = format!("= {:?} is the name of an earlier migration too", migrate.name);
                self.refuse(&[&name], message, "give each its own name");
            }
            let lock = migrate.lock.as_ref().and_then(|check| {
                let server = self.lock(&tree::join(&path, "lock"), check, &root.check, checks)?;
                Some(MigrationLock { check: check.clone(), server, key: key(service) })
            });
            migrations.push(Migration {
                name: migrate.name.clone(),
                command: migrate.command.0.0.clone(),
                lock,
                timeout: self.positive(&tree::join(&path, "timeout"), &migrate.timeout),
                env: self.environment(&tree::join(&path, "env"), &migrate.env),
            });
        }
        migrations
    }

    /// Where the lock is that `check` names. `None` where that was refused.
    fn lock(
        &mut self,
        path: &str,
        check: &str,
        written: &[raw::Check],
        checks: &[Check],
    ) -> Option<seaworthy_checks::kinds::postgres::Server> {
        let databases =
            || written.iter().filter(|check| check.kind == CheckKind::Postgres).map(|check| check.name.as_str());
        match checks.iter().find(|known| known.name == check).map(|known| &known.spec) {
            Some(Spec::Postgres(settings)) => Some(settings.server.clone()),
            Some(Spec::Unset(unset)) if unset.kind == CheckKind::Postgres.name() => {
                let message = format!("= {check:?} needs {}, which is not set", unset.variable);
                self.refuse(&[path], message, "set it, or take the lock out");
                None
            }
            // What is wrong with it has been said.
            None if databases().any(|name| name == check) => None,
            _ => {
                let message = format!("= {check:?} is the name of no check of the kind \"postgres\"");
                let hint = match nearest::to(check, databases()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "add a [[check]] with kind = \"postgres\", and write its name here".to_owned(),
                };
                self.refuse(&[path], message, hint);
                None
            }
        }
    }
}

/// The same in every replica and every version: other locks of the database are most likely others.
fn key(service: &str) -> i64 {
    let digest = digest::digest(&digest::SHA256, format!("seaworthy migrate {service}").as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_ref()[..8]);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_do_not_wait_for_each_other_and_replicas_do() {
        assert_ne!(key("api"), key("worker"));
        // A version that makes another key would migrate beside this one.
        assert_eq!(key("api"), 5_902_922_405_150_559_535);
    }
}
