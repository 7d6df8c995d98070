//! Probes, logs, metrics and request ids.

use super::top::Top;
use std::net::{IpAddr, Ipv4Addr};

use seaworthy::probes::PATHS;

use super::{Review, plain};
use crate::config::raw::{self, Root};
use crate::config::tree;
use crate::config::units::{Address, As, Bind, Kind as _, PublicProbes, UrlPath};
use crate::config::validated::{Environment, Level, Log, LogFormat, Metrics, Probes, RequestId, Trust};

/// The paths of the probes that are always there, for people.
pub(super) fn probe_paths() -> String {
    PATHS.map(|(path, _)| path).join(", ")
}

impl Review<'_> {
    pub(super) fn probes(&mut self, root: &Root, top: &Top) -> Probes {
        let raw = &root.probes;
        for path in raw.paths.keys() {
            let key = tree::join("probes.paths", path);
            if let Err(complaint) = UrlPath::read(&path.as_str().into()) {
                self.refuse(&[&key], complaint.message, complaint.hint.unwrap_or_default());
            } else if path == "/" || path == "/metrics" {
                self.refuse(&[&key], "is taken on the ops listener", "choose another path");
            }
        }
        if let PublicProbes::Paths(paths) = &raw.public.0 {
            for path in paths {
                if !PATHS.iter().any(|(known, _)| known == path) && !raw.paths.contains_key(path) {
                    let message = format!("holds {path:?}, which is no probe");
                    let hint = format!("name it in probes.paths, or choose from {}", probe_paths());
                    self.refuse(&["probes.public", "probes.paths"], message, hint);
                }
            }
        }
        Probes {
            public: raw.public.0.clone(),
            paths: raw.paths.iter().map(|(path, verdict)| (path.clone(), (*verdict).into())).collect(),
            allow: plain(&raw.allow),
            details: raw.details,
            token: raw.token.as_ref().and_then(|source| self.token("probes.token", source)),
            format: raw.format,
            shapes: self.shapes(root, top),
            app_path: raw.app_path.as_ref().map(|path| path.0.0.clone()),
            sample_interval: self.positive("probes.sample-interval", &raw.sample_interval),
        }
    }

    /// Under Kubernetes probes come from outside of the pod.
    pub(super) fn reachable(&mut self, admin: Option<&Address>, probes: &Probes) {
        let loopback = matches!(admin, Some(Address::Tcp(address)) if address.ip().is_loopback());
        if self.sources.kubernetes() && loopback && probes.public == PublicProbes::Off {
            let hint = "write admin = \":9090\", or probes.public = true";
            self.warn("admin", "is on loopback, where neither the kubelet nor Prometheus can reach it", hint);
        }
    }

    pub(super) fn log(&mut self, raw: &mut raw::Log, environment: &Environment) -> Log {
        let development = environment.is_development();
        let level = *raw.level.get_or_insert(if development { Level::Debug } else { Level::Info });
        let pretty = match raw.format {
            raw::LogFormat::Json => false,
            raw::LogFormat::Pretty => true,
            raw::LogFormat::Auto => development || self.sources.terminal,
        };
        for (index, pattern) in raw.redact.iter().enumerate() {
            if pattern.trim_matches('*').is_empty() {
                let hint = "write a name, or a part of one between stars: \"*session*\"";
                self.refuse(&[&tree::at("log.redact", index)], "would redact everything or nothing", hint);
            }
        }
        Log {
            level,
            format: if pretty { LogFormat::Pretty } else { LogFormat::Json },
            access: raw.access,
            query: raw.query,
            on_full: raw.on_full,
            redact: raw.redact.clone(),
        }
    }

    pub(super) fn metrics(&mut self, raw: &raw::Metrics) -> Metrics {
        Metrics {
            allow: plain(&raw.allow),
            scrape: raw.scrape.as_ref().map(|path| path.0.0.clone()),
            scrape_timeout: self.positive("metrics.scrape-timeout", &raw.scrape_timeout),
            max_series: raw.max_series,
        }
    }

    pub(super) fn statsd(raw: &mut raw::StatsD) -> Option<Address> {
        let listen = raw.listen.take().map(|As(bind)| bind.resolve(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        raw.listen = listen.clone().map(|address| As(Bind::To(address)));
        listen
    }

    pub(super) fn request_id(&mut self, raw: &Root) -> RequestId {
        let raw::RequestId { trust, format, header } = &raw.request_id;
        if *trust == Trust::Proxies && raw.trusted_proxies.is_empty() {
            let hint = "name the networks of your proxies in trusted-proxies";
            self.warn("request-id.trust", "trusts no one: trusted-proxies is empty, so every id is replaced", hint);
        }
        RequestId { trust: *trust, format: *format, header: header.0.clone() }
    }
}
