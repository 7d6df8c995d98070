//! What checks are given by whoever runs them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use crate::heartbeat::Heartbeats;
use crate::net::Resolve;
use crate::probe::Failure;
use crate::secret::Secret;

/// What checks are given by whoever runs them. Clones share everything.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub names: Arc<dyn Resolve>,
    pub commands: Arc<dyn Commands>,
    pub heartbeats: Heartbeats,
    pub gateway: Arc<dyn Gateway>,
}

impl Surroundings {
    /// The addresses of a host, which may be one itself.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        self.names.resolve(host).await.map_err(Failure::refused)
    }
}

/// A command under way. Dropping it ends the command with its group.
pub type Finishing<'a> = Pin<Box<dyn Future<Output = Result<Finished, String>> + Send + 'a>>;

/// Runs commands: through the one that waits for every child of the process.
pub trait Commands: Send + Sync + fmt::Debug {
    /// Runs `command` to its end. The error says why it did not run.
    fn run<'a>(&'a self, command: &'a [String], env: &'a BTreeMap<String, Secret>) -> Finishing<'a>;
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// 128 + the signal where it was ended by one.
    pub code: i32,
    /// The last lines that it wrote.
    pub output: Vec<String>,
}

/// What has been counted of requests to an upstream since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Those that ended: answered, or failed.
    pub requests: u64,
    /// Those that could not be sent, broke off, or were answered 5xx.
    pub failures: u64,
    /// Those that are being served at this moment.
    pub in_flight: u64,
}

/// Counts requests to upstreams.
pub trait Gateway: Send + Sync + fmt::Debug {
    /// Of the upstream of this name, or of all together. Reading must cost the requests nothing.
    fn traffic(&self, upstream: Option<&str>) -> Traffic;
}

/// A gateway that forwards nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Idle;

impl Gateway for Idle {
    fn traffic(&self, _: Option<&str>) -> Traffic {
        Traffic::default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::net::Resolving;

    #[derive(Debug)]
    struct Nowhere;

    impl Resolve for Nowhere {
        fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
            Box::pin(std::future::ready(Err("there are no names here".to_owned())))
        }
    }

    impl Commands for Nowhere {
        fn run<'a>(&'a self, _: &'a [String], _: &'a BTreeMap<String, Secret>) -> Finishing<'a> {
            Box::pin(std::future::ready(Err("there are no commands here".to_owned())))
        }
    }

    pub(crate) fn nowhere() -> Surroundings {
        let (names, commands) = (Arc::new(Nowhere), Arc::new(Nowhere));
        Surroundings { names, commands, heartbeats: Heartbeats::default(), gateway: Arc::new(Idle) }
    }
}
