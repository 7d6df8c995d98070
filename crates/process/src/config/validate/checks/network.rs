//! What is asked over the network, whatever it is.

use std::time::Duration;

use seaworthy_checks::kinds::{Spec, dns, grpc, http, tcp, tls, upstream};
use seaworthy_checks::{Place, Secret};

use super::Entry;
use crate::config::tree;

impl Entry<'_, '_> {
    pub(super) fn upstream(&mut self) -> Spec {
        let window = self.raw.window.as_ref().map_or(Duration::from_mins(1), |window| {
            let path = self.key("window");
            self.review.positive(&path, window)
        });
        let fail_percent = self.raw.fail_percent.unwrap_or(50);
        let warn_percent = self.warn_percent(fail_percent.min(10));
        if warn_percent > fail_percent {
            let message = format!("= {warn_percent} comes after the failure: fail-percent is {fail_percent}");
            self.refuse("warn-percent", message, "write at most as much as fail-percent");
        }
        if window < self.raw.interval.0 {
            self.refuse("window", "is shorter than interval: requests in between would not be seen", "raise window");
        }
        Spec::Upstream(upstream::Settings {
            upstream: self.raw.upstream.clone(),
            window,
            min_requests: self.raw.min_requests.unwrap_or(20),
            warn_percent,
            fail_percent,
        })
    }

    pub(super) fn http(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let target = http::Target::new(&url).map_err(|error| self.complain("url", &error)).ok();
        let method = self.raw.method.as_deref().unwrap_or("GET").parse().ok();
        if method.is_none() {
            self.refuse("method", "is no method of HTTP", "write GET or HEAD");
        }
        let mut headers = Vec::new();
        for (written, name) in self.raw.header_names() {
            match name {
                Some(name) => {
                    let value = self.secret(&tree::join("headers", written), written, &self.raw.headers[written])?;
                    headers.push((name, Secret::new(value)));
                }
                None => self.refuse(
                    &tree::join("headers", written),
                    "is not the name of a header",
                    "write letters, digits and -",
                ),
            }
        }
        let status = self.raw.status.as_ref();
        let status =
            status.map_or_else(|| vec![200..=299], |ranges| ranges.iter().map(|range| range.0.0.clone()).collect());
        if status.is_empty() {
            self.refuse("status", "holds no status: no answer would be right", "write [\"2xx\"], or leave it out");
        }
        if self.raw.json.is_some() && self.raw.condition.is_none() {
            self.refuse(
                "json",
                "points at a value that nothing is demanded of",
                "write a condition, as in condition = \"= ok\"",
            );
        }
        let condition = self.condition()?;
        Some(Spec::Http(Box::new(http::Settings {
            target: target?,
            method: method?,
            headers,
            status,
            condition,
            json: self.raw.json.clone(),
            tls: self.secured(),
            validity: self.validity(),
        })))
    }

    pub(super) fn tcp(&mut self) -> Option<Spec> {
        let place = self.place()?;
        Some(Spec::Tcp(tcp::Settings { place, send: self.raw.send.clone(), expect: self.raw.expect.clone() }))
    }

    pub(super) fn dns(&mut self) -> Option<Spec> {
        let host = self.raw.host.clone()?;
        let mut addresses = std::collections::BTreeSet::new();
        for (index, text) in self.raw.addresses.iter().enumerate() {
            match text.parse() {
                Ok(address) => {
                    addresses.insert(address);
                }
                Err(_) => {
                    self.refuse(&tree::at("addresses", index), "is no address", "write it as \"10.0.0.7\" or \"::1\"");
                }
            }
        }
        Some(Spec::Dns(dns::Settings { host, addresses }))
    }

    pub(super) fn tls(&mut self) -> Option<Spec> {
        let place = self.place()?;
        let server_name = self.raw.server_name.clone();
        if server_name.is_none() && matches!(place, Place::Unix(_)) {
            self.refuse(
                "address",
                "is a socket, which has no name that a certificate could be for",
                "write server-name too",
            );
        }
        Some(Spec::Tls(tls::Settings { place, server_name, tls: self.secured(), validity: self.validity() }))
    }

    pub(super) fn grpc(&mut self) -> Option<Spec> {
        let url = self.url()?;
        let server = grpc::Server::new(&url).map_err(|error| self.complain("url", &error)).ok()?;
        let service = self.raw.service.clone().unwrap_or_default();
        Some(Spec::Grpc(Box::new(grpc::Settings { server, service, tls: self.secured() })))
    }

    pub(super) fn validity(&mut self) -> tls::Validity {
        let usual = tls::Validity::default();
        let fail_days = self.raw.fail_days.unwrap_or(usual.fail_days);
        let warn_days = self.raw.warn_days.unwrap_or(usual.warn_days.max(fail_days));
        if warn_days < fail_days {
            let message = format!("= {warn_days} comes after the failure: fail-days is {fail_days}");
            self.refuse("warn-days", message, "write at least as many days as fail-days");
        }
        tls::Validity { warn_days, fail_days }
    }
}
