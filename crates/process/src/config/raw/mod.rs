//! The first stage: the configuration as it is written, one table a file.
//!
//! # Rules
//!
//! - A doc comment here *is* the reference: the schema, the sample and the guide are made from it.
//! - A default that is always the same stands in the table's `Default`, and nowhere else. A key whose default depends on
//!   the machine is an `Option`, and says what it depends on under `x-default`.
//! - `x-restart` marks what a reload cannot change.
//! - Keys are kebab-case, and an unknown one is an error.

mod app;
mod audit;
mod check;
mod check_kind;
mod connection_limit;
mod cors;
mod drain;
mod egress;
mod headers;
mod limits;
mod log;
mod metrics;
mod migrate;
mod probes;
mod request_id;
mod require;
mod restart;
mod sentry;
mod start;
mod statsd;
mod stop;
mod trace;
mod upstream;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::app::{App, Protocol};
pub(crate) use self::audit::Audit;
pub(crate) use self::check::Check;
#[cfg(test)]
pub(crate) use self::check_kind::COMMON;
pub(crate) use self::check_kind::{Affects, CheckKind, Severity};
pub(crate) use self::connection_limit::ConnectionLimit;
pub(crate) use self::cors::Cors;
pub(crate) use self::drain::{Drain, DrainPolicy};
pub(crate) use self::egress::{BreakerMode, Egress, EgressPreset, HedgeMethods};
pub(crate) use self::headers::{HeaderPreset, Headers};
pub(crate) use self::limits::Limits;
pub(crate) use self::log::{Level, Log, LogFormat, OnFull};
pub(crate) use self::metrics::Metrics;
pub(crate) use self::migrate::Migrate;
pub(crate) use self::probes::{Details, ProbeFormat, Probes};
pub(crate) use self::request_id::{IdFormat, RequestId, Trust};
pub(crate) use self::require::Require;
pub(crate) use self::restart::{Restart, RestartPolicy};
pub(crate) use self::sentry::Sentry;
pub(crate) use self::start::Start;
pub(crate) use self::statsd::StatsD;
pub(crate) use self::stop::{Stop, StopScope};
pub(crate) use self::trace::{OtlpProtocol, Trace};
pub(crate) use self::upstream::Upstream;
use super::units::{As, Bind, Cidr, FilePath, OrOff};

/// A time, as it is written.
pub(crate) type Time = As<Duration>;

fn seconds(seconds: u64) -> Time {
    As(Duration::from_secs(seconds))
}

/// The configuration of Seaworthy. Everything has a default; a file is needed only to depart from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, schemars(title = "seaworthy.toml"))]
pub(crate) struct Root {
    /// What the service is called in logs, metrics and probes.
    #[cfg_attr(test, schemars(extend("x-default" = "the file name of the program, else `app`", "x-restart" = true, "examples" = ["api"])))]
    pub(crate) service: Option<String>,

    /// The version of the program, shown in logs, probes and `build_info`.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "x-restart" = true, "examples" = ["1.4.2"])))]
    pub(crate) version: Option<String>,

    /// The name of the environment. `development` means pretty logs, at debug.
    #[cfg_attr(test, schemars(extend("x-default" = "`NODE_ENV`, else `production`", "x-restart" = true, "examples" = ["production"])))]
    pub(crate) environment: Option<String>,

    /// Where the public is served: `host:port`, `:port` (all addresses), a port, or `unix:/path`. Port 0 picks a free one.
    #[cfg_attr(test, schemars(extend("x-default" = "`0.0.0.0:$PORT`, else `0.0.0.0:8080`", "x-restart" = true, "examples" = ["0.0.0.0:8080"])))]
    pub(crate) listen: Option<As<Bind>>,

    /// Where probes and metrics are served, read-only. A port alone stays on loopback; under Kubernetes bind it where the
    /// kubelet reaches it, as in `:9090`. `off` serves none.
    #[cfg_attr(test, schemars(extend(
        "x-default" = "`127.0.0.1:$ADMIN_PORT`, else `127.0.0.1:9090`",
        "x-restart" = true,
        "examples" = ["127.0.0.1:9090"]
    )))]
    pub(crate) admin: Option<As<OrOff<Bind>>>,

    /// How many threads serve the public.
    #[cfg_attr(test, schemars(extend("x-default" = "the CPU quota, at most 4", "x-restart" = true, "examples" = [2])))]
    #[cfg_attr(test, schemars(range(max = 1024)))]
    pub(crate) workers: Option<NonZeroUsize>,

    /// The networks of the proxies before us. Only from there are `X-Forwarded-For` and `Forwarded` believed.
    #[cfg_attr(test, schemars(extend("examples" = [["10.0.0.0/8"]])))]
    pub(crate) trusted_proxies: Vec<As<Cidr>>,

    /// Where state is kept. Without it everything is kept in memory.
    #[cfg_attr(test, schemars(extend(
        "x-default" = "`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/seaworthy`, else none",
        "x-restart" = true,
        "examples" = ["/var/lib/seaworthy"]
    )))]
    pub(crate) state_dir: Option<As<FilePath>>,

    /// The unix socket over which `seaworthy drain`, `status`, `reload` and the like reach this process, or `off`.
    #[cfg_attr(test, schemars(extend(
        "x-default" = "`control.sock` in `state-dir`, if there is one",
        "x-restart" = true,
        "examples" = ["/run/seaworthy/control.sock"]
    )))]
    pub(crate) control: Option<As<OrOff<FilePath>>>,

    pub(crate) app: App,
    pub(crate) start: Start,
    pub(crate) drain: Drain,
    pub(crate) stop: Stop,
    pub(crate) restart: Restart,

    /// Commands that run before each start, in order. They must be idempotent; one that fails stops the start.
    pub(crate) migrate: Vec<Migrate>,

    pub(crate) probes: Probes,

    /// Free values, shown in the bodies of probes.
    #[cfg_attr(test, schemars(extend("examples" = [{ "mode": "primary" }])))]
    pub(crate) info: BTreeMap<String, String>,

    pub(crate) require: Require,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) statsd: StatsD,
    pub(crate) request_id: RequestId,
    pub(crate) trace: Trace,
    pub(crate) sentry: Sentry,
    pub(crate) audit: Audit,
    pub(crate) headers: Headers,
    pub(crate) cors: Cors,
    pub(crate) connection_limit: ConnectionLimit,
    pub(crate) limits: Limits,

    /// What the service depends on, asked in the background. With nothing else in the file it is a monitor.
    pub(crate) check: Vec<Check>,

    /// What to forward to, when it is not the program that we start. One entry for now.
    pub(crate) upstream: Vec<Upstream>,

    /// Where the program calls the services of `[egress.NAME]`, each below `/NAME/`. Port 0 picks a free one.
    #[cfg_attr(test, schemars(extend("x-default" = "`127.0.0.1:9091`", "x-restart" = true, "examples" = ["127.0.0.1:9091"])))]
    pub(crate) egress_listen: Option<As<Bind>>,

    /// Services that the program calls through us: each with a breaker, retries, timeouts and a bulkhead. The program finds
    /// them under `EGRESS_NAME_URL`.
    pub(crate) egress: BTreeMap<String, Egress>,
}
