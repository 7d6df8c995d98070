//! The same service behind different stacks, called in the process: no socket, no scheduler, so that a difference of a
//! hundred nanoseconds shows.

mod ours;
mod usual;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::{Request, Response, header};
use http_body_util::BodyExt as _;
use rustix::time::{ClockId, clock_gettime};
use seaworthy::context::RequestContext;
use tower::util::BoxCloneSyncService;
use tower::{Service as _, ServiceExt as _};

/// A service behind a stack.
pub type Stacked = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// What stands in front of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// Nothing: what every other one is held against.
    Bare,
    /// Id, trace context, metrics and a log line of ours.
    Observed,
    /// All of our layers.
    Full,
    /// The layers that people put together for the same.
    Usual,
}

impl Stack {
    pub const ALL: [Self; 4] = [Self::Bare, Self::Observed, Self::Full, Self::Usual];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare axum",
            Self::Observed => "seaworthy: id, trace, metrics, log line",
            Self::Full => "seaworthy: all layers",
            Self::Usual => "tower-http, axum-prometheus, tower_governor",
        }
    }

    /// The service behind it; everything that is written goes to /dev/null.
    pub fn build(self) -> Result<Stacked> {
        match self {
            Self::Bare => Ok(whole(app())),
            Self::Observed => ours::observed(),
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

/// Boxed, as each of them is once: what is measured is the difference.
fn whole<S, B>(service: S) -> Stacked
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // The body is read here, so that wrapping it in another box is not on anybody's bill but its own.
    let read = service.then(|answer: Result<Response<B>, Infallible>| async {
        let Ok(answer) = answer;
        let (head, body) = answer.into_parts();
        let mut body = std::pin::pin!(body);
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
        }
        assert_eq!((head.status.as_u16(), bytes), (200, BODY.len()), "the service answers");
        Ok(Response::from_parts(head, Body::empty()))
    });
    BoxCloneSyncService::new(read)
}

/// A request as a server hands it on: with the address of its client, as either stack wants to be told.
pub fn request() -> Request<Body> {
    let peer = SocketAddr::from(([203, 0, 113, 9], 40_000));
    let mut request = Request::get("/items/7?page=2")
        .header(header::HOST, "bench.example")
        .header(header::USER_AGENT, "bench/1")
        .header(header::ACCEPT, "application/json")
        .body(Body::empty())
        .expect("a request that can be written down");
    RequestContext::of_mut(request.extensions_mut()).peer = Some(peer);
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

/// Serves so many requests, one after the other.
pub async fn serve(service: &mut Stacked, requests: u32) -> Result<()> {
    for _ in 0..requests {
        service.ready().await?.call(request()).await?;
    }
    Ok(())
}

/// CPU time of this process so far, all of its threads: a log line that another thread writes costs too.
pub fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// A runtime as one worker of a server has it.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().build().context("no runtime can be had")
}

fn null() -> Result<std::fs::File> {
    std::fs::File::options().write(true).open("/dev/null").context("cannot open /dev/null")
}
