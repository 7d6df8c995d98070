//! Probes and metrics on the public listener, where the config wants them there.

use std::net::IpAddr;

use http::{Method, Request, header};
use http_body::Body as _;
use seaworthy::client::behind;
use seaworthy::core::address::{IpNet, Trusted};
use seaworthy::core::refusal::Reason;

use super::answer::Answer;
use super::endpoints::{Scrape, text};
use super::facts::Vitals;
use super::probes::{Ask, Asker, Probes};
use crate::config::{Cidr, Config, PublicProbes};
use crate::gateway::Public;

/// What the public listener answers by itself. Everything else, and everything that is off, is the program's.
///
/// Nobody counts as local here: what comes from loopback may come through a proxy on this machine, for anybody. So the
/// texts of errors are shown only with `probes.details = "always"`.
pub(crate) fn public(config: &Config, vitals: Vitals, scrape: Scrape) -> Public {
    let probes = Probes::of(config);
    let networks = config.trusted_proxies.iter().filter_map(|cidr| IpNet::new(cidr.network, cidr.prefix).ok());
    let trusted = Trusted::new(networks);
    let scrapers = config.metrics.allow.clone();
    Public::new(move |request, peer| {
        let path = request.uri().path();
        let probed = is_public(&probes, path);
        if !probed && (path != "/metrics" || scrapers.is_empty()) {
            return None;
        }
        let client = peer.map(|peer| behind(&trusted, peer, request.headers()));
        // To everybody else the path is the program's, which may have metrics of its own there.
        if !probed && !is_among(&scrapers, client) {
            return None;
        }
        let facts = vitals.facts();
        let (query, accept) = (request.uri().query(), text(request.headers(), header::ACCEPT));
        let answer = match refused(request) {
            Some(answer) => answer,
            None if probed => {
                let asker = Asker { address: client, local: false };
                probes.answer(&Ask { path, query, accept, asker }, &facts)?
            }
            None => scrape.answer(query, accept, &facts),
        };
        Some(answer.respond(request.method()))
    })
}

fn refused(request: &Request<hyper::body::Incoming>) -> Option<Answer> {
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return Some(Answer::refusal(Reason::MethodNotAllowed, "use GET or HEAD"));
    }
    (!request.body().is_end_stream()).then(|| Answer::refusal(Reason::BodyTooLarge, "a probe takes no body"))
}

fn is_public(probes: &Probes, path: &str) -> bool {
    match &probes.settings().public {
        PublicProbes::Off => false,
        PublicProbes::All => probes.has(path),
        PublicProbes::Paths(paths) => paths.iter().any(|public| public == path),
    }
}

fn is_among(networks: &[Cidr], client: Option<IpAddr>) -> bool {
    client.is_some_and(|client| networks.iter().any(|network| network.contains(client)))
}
