//! The program that we start, and the commands around it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use seaworthy_checks::kinds::postgres;

pub(crate) use crate::config::raw::Protocol;
use crate::config::units::Secret;
pub(crate) use crate::config::units::{AppPort, Signal, User};

/// The program. `command` is empty when there is none to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct App {
    /// The arguments for `execve`, byte for byte as they were given.
    pub(crate) command: Vec<OsString>,
    pub(crate) port: AppPort,
    /// Must answer 2xx before the program counts as ready.
    pub(crate) ready_path: Option<String>,
    /// Asked every `live_interval`; without it a hang is not looked for.
    pub(crate) live_path: Option<String>,
    pub(crate) live_failures: NonZeroU32,
    pub(crate) live_interval: Duration,
    /// Sent to the program when a drain begins.
    pub(crate) drain_signal: Option<Signal>,
    /// Added to the environment of the program. Any value may be a secret, so none can be printed.
    pub(crate) env: BTreeMap<String, Secret>,
    /// Variables of ours that it does not inherit: they hold what is kept from it.
    pub(crate) withheld: Vec<String>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) user: Option<User>,
    pub(crate) protocol: Protocol,
}

/// A command at a moment of the life cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    /// Never empty.
    pub(crate) command: Vec<String>,
    /// Killed after this.
    pub(crate) timeout: Duration,
}

/// A command that runs before each start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Migration {
    /// Unique among the migrations.
    pub(crate) name: String,
    /// Never empty.
    pub(crate) command: Vec<String>,
    /// What is held while it runs.
    pub(crate) lock: Option<MigrationLock>,
    /// A migration that runs longer fails the start.
    pub(crate) timeout: Duration,
    /// Added to the environment of the program, for this command only.
    pub(crate) env: BTreeMap<String, Secret>,
}

/// An advisory lock of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MigrationLock {
    /// The check that says where it is.
    pub(crate) check: String,
    pub(crate) server: postgres::Server,
    /// Every replica of the service has the same.
    pub(crate) key: i64,
}
