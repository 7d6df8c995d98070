//! The same service behind different stacks, called in the process: no socket, no scheduler, so that a difference of a
//! hundred nanoseconds shows.

mod collector;
mod ours;
mod spans;
mod usual;

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full};
use rustix::time::{ClockId, clock_gettime};
use seaworthy::context::RequestContext;
use tower::util::BoxCloneSyncService;
use tower::{Service as _, ServiceExt as _};

/// A service behind a stack.
pub type Stacked = BoxCloneSyncService<Request<Arrived>, Response<Body>, Infallible>;

/// As hyper's body is to all of them: none that axum knows.
pub type Arrived = Full<Bytes>;

/// What stands in front of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// Nothing: what every other one is held against.
    Bare,
    /// Id, trace context, metrics and a log line of ours.
    Observed,
    /// The same with spans, none of which is sampled.
    Unsampled,
    /// The same with spans, all of which are exported.
    Sampled,
    /// All of our layers.
    Full,
    /// The layers that people put together for the same.
    Usual,
}

impl Stack {
    pub const ALL: [Self; 6] = [Self::Bare, Self::Observed, Self::Unsampled, Self::Sampled, Self::Full, Self::Usual];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare axum",
            Self::Observed => "seaworthy: id, trace, metrics, log line",
            Self::Unsampled => "seaworthy: the same, spans sampled at 0",
            Self::Sampled => "seaworthy: the same, spans sampled at 1",
            Self::Full => "seaworthy: all layers",
            Self::Usual => "tower-http, axum-prometheus, tower_governor",
        }
    }

    /// The service behind it; everything that is written goes to /dev/null.
    pub fn build(self) -> Result<Stacked> {
        match self {
            Self::Bare => Ok(whole(ready(app()))),
            Self::Observed => ours::observed(),
            Self::Unsampled => ours::spanned(0.0),
            Self::Sampled => ours::spanned(1.0),
            Self::Full => ours::full(),
            Self::Usual => usual::stack(),
        }
    }
}

const BODY: &str =
    r#"{"id":7,"title":"write it down","done":false,"tags":["one","two"],"note":"some 100 bytes of JSON"}"#;

/// The service: one route, a hundred bytes of JSON.
fn app() -> Router {
    let answer = || async { ([(header::CONTENT_TYPE, "application/json")], BODY) };
    Router::new().route("/items/{id}", get(answer))
}

/// As `axum::serve` does: what handlers need is given to them once.
fn ready(app: Router) -> Router {
    app.with_state(())
}

/// Boxed, as each of them is once: what is measured is the difference.
fn whole<S, B>(service: S) -> Stacked
where
    S: tower::Service<Request<Arrived>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // The body is read here, so that wrapping it in another box is not on anybody's bill but its own.
    let read = service.then(|answer: Result<Response<B>, Infallible>| async {
        let Ok(answer) = answer;
        let (head, body) = answer.into_parts();
        let mut body = std::pin::pin!(body);
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
        assert_eq!((head.status.as_u16(), bytes), (200, BODY.len()), "the service answers");
        Ok(Response::from_parts(head, Body::empty()))
    });
    BoxCloneSyncService::new(read)
}

/// The head of a request as it was read: hyper makes neither URI nor values of it, but slices of the one buffer that count for it.
static HEAD: LazyLock<[Bytes; 4]> = LazyLock::new(|| {
    let head = Bytes::from_owner(*b"/items/7?page=2 bench.example bench/1 application/json");
    [0..15, 16..29, 30..37, 38..54].map(|part| head.slice(part))
});

thread_local! {
    static ASKED: Cell<u16> = const { Cell::new(0) };
}

/// So many clients take turns that none of them reaches a limit of a thousand requests a second.
const CLIENTS: u16 = 2048;

fn peer() -> SocketAddr {
    let number = ASKED.get();
    ASKED.set((number + 1) % CLIENTS);
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 40_000))
}

/// A request as a server hands it on: with the address of its client, as either stack wants to be told.
pub fn request() -> Request<Arrived> {
    let peer = peer();
    let [target, host, user_agent, accept] = HEAD.each_ref().map(Bytes::clone);
    let value = |bytes| HeaderValue::from_maybe_shared(bytes).expect("a value");
    let mut request = Request::new(Arrived::default());
    *request.uri_mut() = Uri::from_maybe_shared(target).expect("a target");
    request.headers_mut().insert(header::HOST, value(host));
    request.headers_mut().insert(header::USER_AGENT, value(user_agent));
    request.headers_mut().insert(header::ACCEPT, value(accept));
    RequestContext::of_mut(request.extensions_mut()).peer = Some(peer);
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

/// Serves so many requests, one after the other.
pub async fn serve(stack: Stack, service: &mut Stacked, requests: u32) -> Result<()> {
    for _ in 0..requests {
        service.ready().await?.call(request()).await?;
        if stack == Stack::Sampled {
            spans::served()?;
        }
    }
    Ok(())
}

/// CPU time of this process so far, all of its threads but those of a collector: a log line or a span that another thread carries away
/// costs too.
pub fn cpu() -> Duration {
    let all = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    all.saturating_sub(collector::spent())
}

/// A runtime as one worker of a server has it.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime can be had")
}

fn null() -> Result<std::fs::File> {
    std::fs::File::options().write(true).open("/dev/null").context("cannot open /dev/null")
}
