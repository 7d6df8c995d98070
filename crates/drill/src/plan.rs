//! What is to be rehearsed, after command line and `drill.toml` have been put together.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;

use crate::catalogue::{Check, Level};
use crate::client::Tls;
use crate::client::tls::{TlsError, Trust};
use crate::program::Launch;
use crate::waiver::Waiver;

/// What is rehearsed.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A program that the drill starts, as often as it needs.
    Program(Launch),
    /// A service that runs already.
    Running { address: SocketAddr, host: String, pid: Option<u32>, destructive: bool },
}

/// A dependency that a toxic proxy is put in front of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The variable that holds its address: a URL, or `host:port`.
    pub(crate) env: String,
    /// What the variable would hold without the drill.
    pub(crate) value: String,
    /// A path whose answers need it.
    pub(crate) path: Option<String>,
    /// Whether readiness should follow it.
    pub(crate) affects_ready: Option<bool>,
}

/// Everything that the rehearsals need to know.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) subject: Subject,
    pub(crate) paths: Paths,
    /// Sent with every request.
    pub(crate) headers: Vec<(String, String)>,
    /// It speaks TLS; otherwise that is found out.
    pub(crate) https: bool,
    pub(crate) trust: Trust,
    /// The name that the certificate and the `Host` header are for.
    pub(crate) server_name: Option<String>,
    pub(crate) grace: Duration,
    pub(crate) lag: Duration,
    pub(crate) pre_stop: Duration,
    pub(crate) stop_signal: Signal,
    pub(crate) start_timeout: Duration,
    /// A program that insists on its port.
    pub(crate) port: Option<u16>,
    pub(crate) parallel: usize,
    pub(crate) level: Level,
    pub(crate) only: Vec<String>,
    pub(crate) skip: Vec<(String, String)>,
    pub(crate) waivers: Vec<Waiver>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) grpc: bool,
    pub(crate) config: ConfigPromises,
}

/// Paths that were given; what is missing is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) safe: Option<String>,
    pub(crate) live: Option<String>,
    pub(crate) ready: Option<String>,
    pub(crate) slow: Option<String>,
    pub(crate) upload: Option<String>,
    pub(crate) metrics: Option<String>,
    pub(crate) websocket: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) json: Option<String>,
}

/// What `drill.toml` declares of the program's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConfigPromises {
    /// A variable, a value that is invalid for it.
    pub(crate) invalid: Option<(String, String)>,
    /// A variable, a value, a path, and what its answer then contains.
    pub(crate) overrides: Option<(String, String, String, String)>,
    /// A variable that takes the path of a file, and the secret that is in it.
    pub(crate) secret_file: Option<(String, String)>,
}

impl Plan {
    /// TLS to whoever is reached as `host`, with or without a port.
    pub(crate) fn tls(&self, host: &str) -> Result<Tls, TlsError> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        Tls::new(self.server_name.as_deref().unwrap_or(name), &self.trust)
    }

    /// Whether this check is asked for by name; without names all are.
    pub(crate) fn selects(&self, check: &Check) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| crate::catalogue::names(pattern, check.id))
    }

    /// Why a check is to be left out.
    pub(crate) fn skipped(&self, check: &Check) -> Option<&str> {
        let skip = self.skip.iter().find(|(pattern, _)| crate::catalogue::names(pattern, check.id));
        skip.map(|(_, reason)| reason.as_str())
    }

    /// How long balancers still send here after the signal: a preStop sleep has used some of it up.
    pub(crate) fn lag_after_signal(&self) -> Duration {
        self.lag.saturating_sub(self.pre_stop)
    }
}
