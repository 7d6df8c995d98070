//! What is at which path of the ops listener.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::Full;
use seaworthy::core::address::BY_PROXY;
use seaworthy::core::event::{Event, Sink};
use seaworthy::core::metric::Format;
use seaworthy::core::refusal::Reason;
use seaworthy::metrics::health::Summary;
use seaworthy_core::accept::Accept;
use serde_json::json;

use super::answer::{Answer, JSON, TEXT};
use super::facts::{Facts, Vitals};
use super::probes::{Ask, Asker, Probes};
use crate::config::Verdict;
use crate::egress::Board;
use crate::scrape::AppMetrics;

/// More of a path is not reported.
const LONGEST_PATH: usize = 200;

/// Writes all metrics out. Clones are the same.
#[derive(Clone)]
pub(crate) struct Scrape {
    write: Arc<dyn Fn(Format) -> Vec<u8> + Send + Sync>,
    app: Option<AppMetrics>,
}

impl Scrape {
    pub(crate) fn new(write: impl Fn(Format) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self { write: Arc::new(write), app: None }
    }

    /// Sees to it that the metrics of the program are there too, where `write` shows them.
    pub(crate) fn with_app(self, app: AppMetrics) -> Self {
        Self { app: Some(app), ..self }
    }

    /// To be awaited before it answers, by whoever can.
    pub(super) async fn prepare(&self) {
        if let Some(app) = &self.app {
            app.fetch().await;
        }
    }

    /// The same for the next time, by whoever can not.
    pub(super) fn prepare_next(&self) {
        if let Some(app) = &self.app {
            app.fetch_later();
        }
    }

    /// The answer to `GET /metrics`.
    pub(super) fn answer(&self, query: Option<&str>, accept: &str, facts: &Facts) -> Answer {
        let by_query = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .find_map(|(key, value)| (key == "format").then(|| value.into_owned()));
        let format = match by_query.as_deref() {
            None if names_json(accept) => None,
            None => Some(Format::accepted(accept)),
            Some("json") => None,
            Some("prometheus" | "text") => Some(Format::Text),
            Some("openmetrics") => Some(Format::OpenMetrics),
            Some(_) => {
                return Answer::refusal(Reason::BadRequest, "unknown format: use prometheus, openmetrics or json");
            }
        };
        match format {
            Some(format) => Answer::ok(format.media_type(), (self.write)(format)),
            None => Answer::json(StatusCode::OK, &Summary::of(&facts.known.snapshot, facts.known.uptime)),
        }
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

/// Everything that the ops listener answers.
pub(crate) struct Endpoints {
    /// Read for each request and replaced by a reload; nobody holds the lock for longer than that.
    probes: RwLock<Arc<Probes>>,
    vitals: Vitals,
    scrape: Scrape,
    breakers: Board,
    sink: Arc<dyn Sink>,
}

impl Endpoints {
    pub(crate) fn new(probes: Probes, vitals: Vitals, scrape: Scrape, sink: Arc<dyn Sink>) -> Self {
        Self { probes: RwLock::new(Arc::new(probes)), vitals, scrape, breakers: Board::default(), sink }
    }

    /// Shows these breakers under `/breakers`.
    pub(crate) fn with_breakers(self, breakers: Board) -> Self {
        Self { breakers, ..self }
    }

    /// Answers by `probes` from the next request on.
    pub(crate) fn set(&self, probes: Probes) {
        *self.probes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(probes);
    }

    /// To be awaited before a request for `path` is served.
    pub(super) async fn prepare(&self, path: &str) {
        if path == "/metrics" {
            self.scrape.prepare().await;
        }
    }

    /// Answers a request that came from `peer`; `None` over a unix socket.
    pub(super) fn serve<B: Body>(&self, request: &Request<B>, peer: Option<IpAddr>) -> Response<Full<Bytes>> {
        let probes = self.probes.read().unwrap_or_else(PoisonError::into_inner).clone();
        let facts = self.vitals.facts();
        let answer = self.answer(&probes, request, peer, &facts);
        self.report(&probes, request, peer, &answer, &facts);
        answer.respond(request.method())
    }

    fn answer<B: Body>(&self, probes: &Probes, request: &Request<B>, peer: Option<IpAddr>, facts: &Facts) -> Answer {
        let path = request.uri().path();
        let of_breakers = path == "/breakers" || path.starts_with("/breakers/");
        let known = path == "/" || path == "/metrics" || of_breakers || probes.has(path);
        if !known {
            return Answer::refusal(Reason::NoRoute, "GET / lists what is here");
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            let detail = if of_breakers {
                "the ops listener is read-only: `seaworthy breakers reset NAME`, or POST over the control socket"
            } else {
                "the ops listener is read-only: use GET or HEAD"
            };
            return Answer::refusal(Reason::MethodNotAllowed, detail);
        }
        if !request.body().is_end_stream() {
            return Answer::refusal(Reason::BodyTooLarge, "nothing here takes a body");
        }
        let (query, accept) = (request.uri().query(), text(request.headers(), header::ACCEPT));
        match path {
            "/" => index(probes, &self.breakers, accept, facts),
            "/metrics" => self.scrape.answer(query, accept, facts),
            path if of_breakers => self.breakers(path),
            path => {
                let headers = request.headers();
                let asker = Asker { address: peer, local: is_local(peer, headers) || probes.believes(headers) };
                let answer = probes.answer(&Ask { path, query, accept, asker }, facts);
                answer.unwrap_or_else(|| Answer::refusal(Reason::NoRoute, "GET / lists what is here"))
            }
        }
    }

    /// All breakers, or the one that `path` names.
    fn breakers(&self, path: &str) -> Answer {
        let mut views = self.breakers.views();
        let Some(name) = path.strip_prefix("/breakers/").filter(|name| !name.is_empty()) else {
            return Answer::json(StatusCode::OK, &json!({ "breakers": views }));
        };
        views.retain(|view| view.name == name);
        match views.pop() {
            Some(view) => Answer::json(StatusCode::OK, &view),
            None => Answer::refusal(Reason::NoRoute, "no breaker of this name: GET /breakers lists all"),
        }
    }

    /// Reports what was refused, and which verdict was given.
    fn report<B>(&self, probes: &Probes, request: &Request<B>, peer: Option<IpAddr>, answer: &Answer, facts: &Facts) {
        let path = request.uri().path();
        if answer.refusal.is_some() {
            self.sink.emit(&Event::OpsRequestRefused {
                client: peer.map_or_else(|| "a unix socket".to_owned(), |peer| peer.to_canonical().to_string()),
                method: request.method().to_string(),
                path: path.chars().take(LONGEST_PATH).collect(),
                status: answer.status.as_u16(),
            });
            return;
        }
        if let Some(fault) = &answer.fault {
            self.vitals.misshapen(path, fault);
        }
        if let Some(verdict) = probes.verdict_at(path) {
            self.vitals.answered(verdict, facts);
        }
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("vitals", &self.vitals).finish_non_exhaustive()
    }
}

/// What is here, for people and for programs.
fn index(probes: &Probes, breakers: &Board, accept: &str, facts: &Facts) -> Answer {
    let verdict = |verdict| match verdict {
        Verdict::Startup => "whether the start is complete",
        Verdict::Live => "whether the process can do its work",
        Verdict::Ready => "whether requests should be sent here",
        Verdict::Health => "how everything is",
    };
    let mut endpoints: Vec<(String, &str)> = vec![("/metrics".to_owned(), "metrics for Prometheus")];
    endpoints.extend(probes.paths().map(|(path, of)| (path.to_owned(), verdict(of))));
    endpoints.push(("/health/dependencies".to_owned(), "what the service depends on, name by name"));
    endpoints.extend(facts.known.snapshot.checks.iter().map(|check| {
        let name = percent_encoding::utf8_percent_encode(&check.name, percent_encoding::NON_ALPHANUMERIC);
        (format!("/health/check/{name}"), "one check")
    }));
    if !breakers.views().is_empty() {
        endpoints.push(("/breakers".to_owned(), "the breakers of the services that the program calls"));
    }
    let identity = probes.identity();
    if names_json(accept) {
        let list: Vec<_> = endpoints.iter().map(|(path, what)| json!({ "path": path, "what": what })).collect();
        let (service, version) = (&identity.service, &identity.version);
        let body =
            json!({ "service": service, "version": version, "state": facts.known.state.name(), "endpoints": list });
        return Answer::json(StatusCode::OK, &body);
    }
    let width = endpoints.iter().map(|(path, _)| path.len()).max().unwrap_or_default();
    let version = identity.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let mut text = format!("{}{version} is {}\n\n", identity.service, facts.known.state.name());
    for (path, what) in endpoints {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{path:width$}  {what}");
    }
    Answer::ok(TEXT, text)
}

/// Whether a client would rather have JSON than any text that we have.
fn names_json(accept: &str) -> bool {
    Accept::parse(accept).named(&["text/plain", "application/openmetrics-text", JSON]) == Some(JSON)
}

/// A header as text; empty where there is none, or where it is none.
pub(super) fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether somebody on this machine asks. A proxy on it may ask for anybody, and says so by a header.
fn is_local(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let by_proxy = BY_PROXY.iter().any(|name| headers.contains_key(*name));
    !by_proxy && peer.is_none_or(|peer| peer.to_canonical().is_loopback())
}
