//! Databases and caches.

use seaworthy_checks::kinds::{Spec, mysql, postgres, redis};

use super::Entry;

impl Entry<'_, '_> {
    pub(super) fn postgres(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = postgres::Server::new(&url, self.secured()).map_err(|error| self.complain("url", &error)).ok()?;
        let condition = self.condition()?;
        let query = self.raw.query.clone();
        let warn_percent = self.warn_percent(80);
        Some(Spec::Postgres(Box::new(postgres::Settings { server, query, condition, warn_percent })))
    }

    pub(super) fn mysql(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = mysql::Server::new(&url, self.secured()).map_err(|error| self.complain("url", &error)).ok()?;
        let condition = self.condition()?;
        let query = self.raw.query.clone();
        let warn_percent = self.warn_percent(80);
        Some(Spec::Mysql(Box::new(mysql::Settings { server, query, condition, warn_percent })))
    }

    pub(super) fn redis(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = redis::Server::new(&url, self.secured(), self.raw.sentinel.clone());
        let server = server.map_err(|error| self.complain("url", &error)).ok()?;
        Some(Spec::Redis(Box::new(redis::Settings { server, warn_percent: self.warn_percent(80) })))
    }
}
