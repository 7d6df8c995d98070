//! Probes and metrics on the public listener, where the config wants them there.

use std::net::IpAddr;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body::Body;
use http_body_util::Full;
use seaworthy::client_address::behind;
use seaworthy::core::address::Trusted;
use seaworthy::core::refusal::Reason;
use seaworthy_checks::Heartbeats;

use super::answer::Answer;
use super::endpoints::{Scrape, text};
use super::facts::Vitals;
use super::heartbeat::Desk;
use super::probes::{Ask, Asker, Probes};
use crate::config::{Cidr, Config, PublicProbes};
use crate::gateway::Public;

/// What the public listener answers by itself. Everything else, and everything that is off, is the program's.
///
/// Nobody counts as local here: what comes from loopback may come through a proxy on this machine, for anybody. So the
/// texts of errors are shown only with `probes.details = "always"`, or to whoever brings `probes.token`.
pub(crate) fn public(config: &Config, vitals: Vitals, scrape: Scrape, heartbeats: Heartbeats) -> Public {
    let door = Door::new(config, vitals, scrape, heartbeats);
    Public::new(move |request, peer| door.answer(request, peer))
}

/// What is ours on the public listener.
struct Door {
    probes: Probes,
    vitals: Vitals,
    scrape: Scrape,
    trusted: Trusted,
    scrapers: Vec<Cidr>,
    /// `None` where no sign of life is taken here.
    desk: Option<Desk>,
}

impl Door {
    fn new(config: &Config, vitals: Vitals, scrape: Scrape, heartbeats: Heartbeats) -> Self {
        let trusted = Trusted::new(config.trusted_proxies.iter().map(|cidr| cidr.net()));
        let scrapers = config.metrics.allow.clone();
        let desk = Desk::new(&config.checks, heartbeats);
        Self { probes: Probes::of(config), vitals, scrape, trusted, scrapers, desk }
    }

    fn answer<B: Body>(&self, request: &Request<B>, peer: Option<IpAddr>) -> Option<Response<Full<Bytes>>> {
        let path = request.uri().path();
        if let Some(desk) = self.desk.as_ref().filter(|_| Desk::is_at(path)) {
            // A body, as with `curl -d`, says nothing to us.
            return Some(desk.answer(request.method(), path, request.headers()).respond(request.method()));
        }
        let is_probe = self.is_public(path);
        if !is_probe && (path != "/metrics" || self.scrapers.is_empty()) {
            return None;
        }
        let client = peer.map(|peer| behind(&self.trusted, peer, request.headers()));
        // To everybody else the path is the program's, which may have metrics of its own there.
        if !is_probe && !is_among(&self.scrapers, client) {
            return None;
        }
        let answer = match refused(request) {
            Some(answer) => answer,
            None => self.ours(request, is_probe, client)?,
        };
        Some(answer.respond(request.method()))
    }

    fn ours<B>(&self, request: &Request<B>, is_probe: bool, client: Option<IpAddr>) -> Option<Answer> {
        let facts = self.vitals.facts();
        let (path, query) = (request.uri().path(), request.uri().query());
        let accept = text(request.headers(), header::ACCEPT);
        if is_probe {
            let asker = Asker { address: client, local: self.probes.believes(request.headers()) };
            let answer = self.probes.answer(&Ask { path, query, accept, asker }, &facts)?;
            if let Some(fault) = &answer.fault {
                self.vitals.misshapen(path, fault);
            }
            if let (Some(verdict), None) = (self.probes.verdict_at(path), answer.refusal) {
                self.vitals.answered(verdict, &facts);
            }
            return Some(answer);
        }
        let answer = self.scrape.answer(query, accept, &facts);
        self.scrape.prepare_next();
        Some(answer)
    }

    fn is_public(&self, path: &str) -> bool {
        match &self.probes.settings().public {
            PublicProbes::Off => false,
            PublicProbes::All => self.probes.has(path),
            PublicProbes::Paths(paths) => paths.iter().any(|public| public == path),
        }
    }
}

fn refused<B: Body>(request: &Request<B>) -> Option<Answer> {
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return Some(Answer::refusal(Reason::MethodNotAllowed, "use GET or HEAD"));
    }
    (!request.body().is_end_stream()).then(|| Answer::refusal(Reason::BodyTooLarge, "a probe takes no body"))
}

fn is_among(networks: &[Cidr], client: Option<IpAddr>) -> bool {
    client.is_some_and(|client| networks.iter().any(|network| network.contains(client)))
}

#[cfg(test)]
mod tests;
