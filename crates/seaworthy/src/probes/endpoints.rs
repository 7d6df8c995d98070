//! All paths that answer about the service, as one tower service.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::Full;
use seaworthy_core::address::BY_PROXY;
use seaworthy_core::health::Check;
use seaworthy_core::refusal::Reason;
use tower_service::Service;

use super::answer::{Answer, JSON, TEXT};
use super::breakers;
use super::facts::{Identity, Vitals};
use super::format;
use super::question::{Manner, PATHS, Subject, accepted};
use super::report::{Report, without};
use super::shape::Shape;
use crate::breaker::Breaker;
use crate::context::RequestContext;
use crate::health::Health;
use crate::lifecycle::Lifecycle;

/// What writes the metrics: given the header `Accept`, it gives the content type and the body.
#[derive(Clone)]
pub struct Scrape {
    write: Arc<Answerer>,
    /// Those that the metrics show, where they show some.
    breakers: Option<Arc<dyn Fn() -> Vec<Breaker> + Send + Sync>>,
}

/// From what is accepted to a media type and a page.
type Answerer = dyn Fn(&str) -> (&'static str, Bytes) + Send + Sync;

impl Scrape {
    /// Must not wait: it is called where probes are answered.
    pub fn new(scrape: impl Fn(&str) -> (&'static str, Bytes) + Send + Sync + 'static) -> Self {
        Self { write: Arc::new(scrape), breakers: None }
    }

    /// Answers `/breakers` too.
    pub(crate) fn with_breakers(self, breakers: impl Fn() -> Vec<Breaker> + Send + Sync + 'static) -> Self {
        Self { breakers: Some(Arc::new(breakers)), ..self }
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

/// Answers probes and scrapes; see the [module](super) for the paths. Clones answer the same.
///
/// ```
/// use http::Request;
/// use seaworthy::{health::Health, lifecycle::Lifecycle, probes::Endpoints};
///
/// let life = Lifecycle::default();
/// let endpoints = Endpoints::new("orders", Health::default(), life);
/// let answer = endpoints.answer(&Request::get("/readyz").body(()).unwrap());
/// assert_eq!(answer.status(), 503); // it is starting
/// ```
#[derive(Debug, Clone)]
pub struct Endpoints {
    identity: Arc<Identity>,
    vitals: Vitals,
    health: Health,
    scrape: Option<Scrape>,
}

impl Endpoints {
    /// Of the service called `service`.
    pub fn new(service: impl Into<String>, health: Health, life: Lifecycle) -> Self {
        let identity = Identity { service: service.into(), ..Identity::default() };
        Self::of(identity, health.clone(), Vitals::new(life, health, || true))
    }

    /// With all that can be said: who answers, and what liveness is made of.
    #[doc(hidden)]
    pub fn of(identity: Identity, health: Health, vitals: Vitals) -> Self {
        Self { identity: Arc::new(identity), vitals, health, scrape: None }
    }

    /// Answers `/metrics` as well.
    #[must_use]
    pub fn scrape(mut self, scrape: Scrape) -> Self {
        self.scrape = Some(scrape);
        self
    }

    /// Every path that is answered, for whoever mounts them one by one. `{name}` stands for one name.
    pub fn paths() -> impl Iterator<Item = &'static str> {
        let names = ["/health/check/{name}", "/health/group/{name}", "/health/dependencies", "/metrics"];
        PATHS.into_iter().map(|(path, _)| path).chain(names)
    }

    /// Whether `path` is one of them.
    pub fn has(&self, path: &str) -> bool {
        let shown = |scrape: &Scrape| path == "/metrics" || (scrape.breakers.is_some() && breakers::are_at(path));
        Subject::of(path).is_some() || self.scrape.as_ref().is_some_and(shown)
    }

    /// The answer, at once. Who asks is read from the [`RequestContext`].
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let method = request.method();
        if method != Method::GET && method != Method::HEAD {
            return Answer::refusal(Reason::MethodNotAllowed, "probes are asked by GET or HEAD").respond(method);
        }
        let path = request.uri().path();
        let answer = match (Subject::of(path), &self.scrape) {
            (Some(subject), _) => self.probe(&subject, request),
            (None, Some(Scrape { write, .. })) if path == "/metrics" => {
                match accepted(request.uri().query(), text(request.headers(), &header::ACCEPT)) {
                    Ok(accepted) => {
                        let (kind, body) = write(accepted);
                        Answer::verdict(true, kind, body)
                    }
                    Err(error) => Answer::refusal(Reason::BadRequest, error.to_string()),
                }
            }
            (None, Some(Scrape { breakers: Some(known), .. })) if breakers::are_at(path) => {
                breakers::answer(path, &known())
            }
            (None, _) => Answer::refusal(Reason::NoRoute, "probes are at /health, /livez, /readyz and /startupz"),
        };
        answer.respond(method)
    }

    fn probe<B>(&self, subject: &Subject<'_>, request: &Request<B>) -> Answer {
        let manner = match Manner::of(request.uri().query(), Shape::by_name) {
            Ok(manner) => manner,
            Err(error) => return Answer::refusal(Reason::BadRequest, format!("{error}: use {}", Shape::NAMES)),
        };
        if *subject == Subject::Dependencies {
            let satisfaction = self.health.dependencies();
            return Answer::verdict(satisfaction.satisfied, JSON, json(&satisfaction));
        }
        let facts = self.vitals.facts();
        let snapshot = without(&facts.snapshot, &manner.exclude);
        let named = |name, which: &dyn Fn(&Check) -> bool| {
            let checks = snapshot.checks.iter().filter(|check| which(check)).collect();
            Report::of_checks(name, checks, &facts, &self.identity)
        };
        let report = match subject {
            Subject::Verdict(verdict) => {
                Some(Report::of_verdict(*verdict, &snapshot, &facts, &self.identity, manner.verbose))
            }
            Subject::Check(name) => named(&**name, &|check| check.name == **name),
            Subject::Group(name) => named(&**name, &|check| check.group.as_deref() == Some(&**name)),
            Subject::Dependencies => None,
        };
        // What was asked for is not repeated: it was written by whoever asked.
        let Some(report) = report else { return Answer::refusal(Reason::NoRoute, "nothing is known by this name") };
        let report = Report { verbose: manner.verbose, details: is_local(request), ..report };
        match manner.format.unwrap_or_else(|| Shape::accepted(text(request.headers(), &header::ACCEPT))) {
            Shape::Json => Answer::verdict(report.passes, JSON, format::json::write(&report)),
            Shape::Kubernetes => Answer::verdict(report.passes, TEXT, format::kubernetes::write(&report)),
        }
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut written = serde_json::to_vec(value).expect("tables with text for keys can be written as JSON");
    written.push(b'\n');
    written
}

/// A header as text; empty where there is none, or where it is none.
fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether somebody on this machine asks. A proxy on it may ask for anybody, and says so by a header. Nobody is taken for local
/// of whom nothing is known.
fn is_local<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let by_proxy = BY_PROXY.iter().any(|name| headers.contains_key(*name));
    let peer = RequestContext::of(request.extensions()).and_then(|context| context.peer);
    !by_proxy && peer.is_some_and(|peer| IpAddr::to_canonical(&peer.ip()).is_loopback())
}

impl<B> Service<Request<B>> for Endpoints {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}
