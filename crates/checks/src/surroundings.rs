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
