//! What checks are given: names, commands and heartbeats.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use seaworthy_checks::{Finished, Finishing, Gateway, Heartbeats, Resolve, Resolving, Secret, Surroundings};
use tokio::sync::OnceCell;

use crate::config;
use crate::names::{NameError, Names};
use crate::supervise::Commands;

/// What checks are given, where commands run as `commands` has it and `gateway` forwards requests.
pub(crate) fn surroundings(commands: Commands, gateway: Arc<dyn Gateway>) -> Surroundings {
    Surroundings {
        names: Arc::new(Resolver::default()),
        commands: Arc::new(Spawner(commands)),
        heartbeats: Heartbeats::default(),
        gateway,
    }
}

/// Reads the configuration of the machine when the first name is looked up: most checks have none.
#[derive(Debug, Default)]
struct Resolver(OnceCell<Names>);

impl Resolver {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        let names = self.0.get_or_try_init(|| async { Names::of_machine() }).await?;
        Ok(names.lookup(name).await?.addresses)
    }
}

impl Resolve for Resolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move { self.lookup(name).await.map_err(|error| error.to_string()) })
    }
}

/// Runs commands through the one reaper.
#[derive(Debug)]
struct Spawner(Commands);

impl seaworthy_checks::Commands for Spawner {
    fn run<'a>(&'a self, command: &'a [String], env: &'a BTreeMap<String, Secret>) -> Finishing<'a> {
        Box::pin(async move {
            let secret =
                |(name, value): (&String, &Secret)| (name.clone(), config::Secret::new(value.expose().to_owned()));
            let env = env.iter().map(secret).collect();
            let finished = self.0.check(command, &env).await;
            finished.map(|(ending, output)| Finished { code: ending.code(), output }).map_err(|error| error.to_string())
        })
    }
}
