//! `dns`: a name resolves, perhaps to what it should.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::Surroundings;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub host: String,
    /// The addresses that it must have, all of them and no others; empty means any.
    pub addresses: BTreeSet<IpAddr>,
}

#[derive(Debug)]
pub(super) struct Dns {
    settings: Settings,
    surroundings: Surroundings,
}

impl Dns {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings }
    }

    async fn ask(&self) -> Result<Report, Failure> {
        let Settings { host, addresses } = &self.settings;
        let found: BTreeSet<_> = self.surroundings.addresses(host).await?.into_iter().collect();
        if found.is_empty() {
            return Err(Failure::condition(format!("{host:?} has no address")));
        }
        if !addresses.is_empty() && found != *addresses {
            let list =
                |addresses: &BTreeSet<IpAddr>| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("{host:?} is at {}, not at {}", list(&found), list(addresses));
            return Err(Failure::condition(message));
        }
        Ok(Report::default().measure("health_dns_addresses", found.len() as f64))
    }
}

impl Probe for Dns {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}
