//! What checks are given by whoever runs them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// A sign of life from something that is not asked: a cron job, a backup, a worker without HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    pub at: Instant,
    /// How long the job took, where it said so.
    pub took: Option<Duration>,
}

/// The last sign of life of each heartbeat. Clones share them; there are as many as heartbeat checks.
#[derive(Clone, Default)]
pub struct Heartbeats(Arc<Mutex<HashMap<String, Option<Beat>>>>);

impl Heartbeats {
    /// Takes signs of life for `name` from now on.
    pub fn expect(&self, name: &str) {
        self.beats().entry(name.to_owned()).or_default();
    }

    /// Records a sign of life. `false` where nobody waits for one of this name.
    pub fn beat(&self, name: &str, beat: Beat) -> bool {
        self.beats().get_mut(name).map(|last| *last = Some(beat)).is_some()
    }

    /// The last sign of life of `name`.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<Beat> {
        self.beats().get(name).copied().flatten()
    }

    fn beats(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Beat>>> {
        // A map is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Heartbeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heartbeats")
    }
}
