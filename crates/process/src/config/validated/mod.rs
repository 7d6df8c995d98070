//! The second stage: what the rest of the program is handed.
//!
//! Every value has its final type, every default is filled in, and what contradicts itself cannot get here. Nothing in
//! this module touches a file, a socket or the clock; sockets, users and paths are looked up by whoever uses them.

mod app;
mod check;
mod egress;
mod life;
mod observe;
mod protect;
mod telemetry;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(crate) use self::app::{App, Hook, Migration, MigrationLock, Protocol};
pub(crate) use self::check::Check;
pub(crate) use self::egress::Egress;
pub(crate) use self::life::{Drain, DrainPolicy, FLUSH, Restart, RestartPolicy, Start, Stop, StopScope};
pub(crate) use self::observe::{
    Details, IdFormat, Level, Log, LogFormat, Metrics, OnFull, ProbeFormat, Probes, RequestId, Trust, Verdict,
};
pub(crate) use self::protect::{ConnectionLimit, HeaderPreset, Headers, Limits};
pub(crate) use self::telemetry::{Audit, Export, Sentry, Trace};
use seaworthy::cors::Policy;

use super::units::{Address, Cidr, Target};

/// The whole configuration, coherent and complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// How the service is called in logs, metrics and probes.
    pub(crate) service: String,
    /// The version of the program, if anybody said it.
    pub(crate) version: Option<String>,
    pub(crate) environment: Environment,
    /// Where the public is served.
    pub(crate) listen: Address,
    /// Where probes and metrics are served; `None` when it is off.
    pub(crate) admin: Option<Address>,
    /// Worker threads; `None` means the CPU quota, at most 4.
    pub(crate) workers: Option<NonZeroUsize>,
    /// Whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<Cidr>,
    /// Where state is kept; `None` means in memory only.
    pub(crate) state_dir: Option<PathBuf>,
    /// The control socket; `None` when it is off, or when there is no directory to put it in.
    pub(crate) control: Option<PathBuf>,
    pub(crate) app: App,
    pub(crate) start: Start,
    pub(crate) drain: Drain,
    pub(crate) stop: Stop,
    pub(crate) restart: Restart,
    /// Run before each start, in this order.
    pub(crate) migrate: Vec<Migration>,
    pub(crate) probes: Probes,
    /// Free values for probe bodies.
    pub(crate) info: BTreeMap<String, String>,
    pub(crate) require: Require,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    /// Where `StatsD` is received; a TCP address stands for UDP. `None` when it is off.
    pub(crate) statsd: Option<Address>,
    pub(crate) request_id: RequestId,
    pub(crate) trace: Trace,
    /// Where reports go; `None` where there are none.
    pub(crate) sentry: Option<Sentry>,
    /// `None` where there is no trail.
    pub(crate) audit: Option<Audit>,
    pub(crate) headers: Headers,
    /// Whose pages may read answers; `None` for nobody's.
    pub(crate) cors: Option<Policy>,
    pub(crate) connection_limit: ConnectionLimit,
    pub(crate) limits: Limits,
    /// What is asked in the background.
    pub(crate) checks: Vec<Check>,
    /// What to forward to, when it is not the port of [`App`].
    pub(crate) upstream: Option<Upstream>,
    /// Where services are called that have no listener of their own.
    pub(crate) egress_listen: Address,
    /// What the program calls through us, by name.
    pub(crate) egress: Vec<Egress>,
}

/// Something that answers HTTP and that we may not have started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) target: Target,
    pub(crate) protocol: Protocol,
}

/// What must be there before the service is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Require {
    /// Environment variables that must be set and not empty.
    pub(crate) env: Vec<String>,
}

/// The name of the environment; only `development` means something to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Environment(pub(crate) String);

impl Environment {
    /// Whether logs are for a person at a terminal: pretty, and at debug.
    pub(crate) fn is_development(&self) -> bool {
        matches!(self.0.as_str(), "development" | "dev")
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
