//! The innermost service: hands a request to the program and its answer back.
//!
//! # What is tried again
//!
//! One retry, by itself, where nothing can have happened: an idempotent request without a body, on a kept connection
//! that broke before it gave a byte (RFC 9110, 9.2.2). Everything else the client has to decide.

pub(crate) mod body;
mod exchange;
mod failure;
mod h2;
pub(crate) mod head;
mod http1;
pub(crate) mod pool;
pub(crate) mod upstream;
mod websocket;

pub(crate) use failure::Failure;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response, Version, header};
use seaworthy::access::CountedBody;
use seaworthy::context::{Correlation, RequestContext};
use seaworthy::core::event::Event;
use seaworthy::limit::body::LimitedBody;
use seaworthy_core::tick::ticks;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use self::body::ProxyBody;
use self::exchange::{Exchange, OverHttp1};
use self::http1::{Kept, Scratch};
use self::pool::Pool;
use self::upstream::{Protocol, Upstream};
use super::clock::Ticks;
use super::connection::body::RequestBody;
use super::observer::WorkerObserver;
use super::registry::Registry;
use super::socket::Socket;
use super::worker::SharedSink;

/// The death of a program is known within this time.
const NOTICE: Duration = Duration::from_millis(250);

/// An upstream is complained of no more often, by each worker.
const COMPLAINT: Duration = Duration::from_secs(1);

/// The body of a request when it gets here, through the layers that count and limit it.
pub(crate) type InnerBody = LimitedBody<CountedBody<RequestBody>>;

/// What of the configuration the proxy needs; replaced by a reload.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    pub longest_target: u64,
    pub connect_timeout: Duration,
    /// How long a request may wait for the program that follows one that died; 0 where nobody starts another.
    pub hold: Duration,
}

/// Forwards requests. Clones share pool, settings and upstream.
#[derive(Debug, Clone)]
pub(crate) struct Proxy(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: RefCell<ProxySettings>,
    upstream: RefCell<Option<Upstream>>,
    /// Whoever waits for another upstream.
    moved: Notify,
    pool: Pool,
    scratch: Scratch,
    h2: h2::Connections,
    /// How many connections to upstreams this process may have.
    permits: Arc<Semaphore>,
    registry: Registry,
    observer: WorkerObserver,
    sink: SharedSink,
    ticks: Ticks,
    /// When an upstream was last complained of, and how often it was not worth a line since.
    complaint: Cell<(Option<u32>, u32)>,
}

impl Proxy {
    pub(crate) fn new(
        settings: ProxySettings,
        permits: Arc<Semaphore>,
        registry: Registry,
        observer: WorkerObserver,
        sink: SharedSink,
        ticks: Ticks,
    ) -> Self {
        Self(Rc::new(Inner {
            settings: RefCell::new(settings),
            upstream: RefCell::new(None),
            moved: Notify::new(),
            pool: Pool::new(ticks.clone()),
            scratch: Scratch::default(),
            h2: h2::Connections::default(),
            permits,
            registry,
            observer,
            sink,
            ticks,
            complaint: Cell::new((None, 0)),
        }))
    }

    pub(crate) fn set(&self, settings: ProxySettings) {
        *self.0.settings.borrow_mut() = settings;
    }

    /// Forwards to `upstream` from now on. Connections to the one before are not used again.
    pub(crate) fn forward_to(&self, upstream: Option<Upstream>) {
        *self.0.upstream.borrow_mut() = upstream;
        self.0.pool.clear();
        self.0.h2.clear();
        self.0.moved.notify_waiters();
    }

    /// The upstream that follows the one of `generation`, which refused a connection: a program that died a moment ago,
    /// before anybody knows of it. Nothing was sent to it, so the request may wait as those do that come a moment later.
    async fn successor(&self, generation: u32) -> Option<Upstream> {
        let hold = self.0.settings.borrow().hold;
        let began = tokio::time::Instant::now();
        loop {
            let moved = self.0.moved.notified();
            let known = self.0.pool.generation() != generation;
            if let Some(upstream) = self.0.upstream.borrow().clone().filter(|_| known) {
                return Some(upstream);
            }
            // A program that lives and refuses will not be followed by another.
            let patience = if known { hold } else { NOTICE.min(hold) };
            tokio::time::timeout_at(began + patience, moved).await.ok()?;
        }
    }

    /// Says what is wrong with the upstream, once in a while: each request that it costs has a line of its own.
    fn complain(&self, upstream: &Arc<str>, failure: &Failure) {
        if !failure.by_upstream() {
            return;
        }
        let now = self.0.ticks.now();
        let (last, suppressed) = self.0.complaint.get();
        if last.is_some_and(|last| now.saturating_sub(last) < ticks(COMPLAINT)) {
            self.0.complaint.set((last, suppressed + 1));
            return;
        }
        self.0.complaint.set((Some(now), 0));
        let (upstream, reason) = (upstream.to_string(), failure.to_string());
        self.0.sink.emit(&Event::UpstreamFailed { upstream, reason, suppressed });
    }

    /// Drops connections that were idle for too long.
    pub(crate) fn expire(&self) {
        self.0.pool.expire();
        self.0.observer.upstream_idle(self.0.pool.idle());
    }
}

type Answered = Pin<Box<dyn Future<Output = Result<Response<ProxyBody>, Infallible>>>>;

impl Service<Request<InnerBody>> for Proxy {
    type Response = Response<ProxyBody>;
    type Error = Infallible;
    type Future = Answered;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// What can be done at once is done here and not in the future, which is allocated.
    fn call(&mut self, request: Request<InnerBody>) -> Answered {
        let longest_target = self.0.settings.borrow().longest_target;
        if let Err(refusal) = head::refuse(&request, longest_target) {
            let answer = refusal.respond(&Correlation::of(&request));
            return Box::pin(ready(Ok(answer)));
        }
        let Some(upstream) = self.0.upstream.borrow().clone() else {
            let answer = Failure::NoAddress.refusal().respond(&Correlation::of(&request));
            return Box::pin(ready(Ok(answer)));
        };
        let connection = RequestContext::of(request.extensions()).and_then(|context| context.connection);
        let over_h2 = match upstream.protocol {
            Protocol::H2c => true,
            Protocol::Auto => request.version() == Version::HTTP_2 && is_grpc(&request),
            Protocol::Http1 => false,
        };
        let exchange = Exchange::begin(self.clone(), upstream, &request);
        match connection {
            Some(connection) if head::wants_websocket(&request) => Box::pin(exchange.websocket(request, connection)),
            _ if over_h2 => Box::pin(exchange.over_h2(request)),
            _ => Box::pin(OverHttp1::begin(exchange, request)),
        }
    }
}

impl Proxy {
    async fn connect(&self, upstream: &Upstream) -> Result<Box<Kept>, Failure> {
        let generation = self.0.pool.generation();
        let (socket, permit) = self.socket(upstream).await?;
        let open = self.0.observer.upstream_opened();
        Ok(Box::new(Kept::new(socket, self.0.scratch.clone(), permit, open, generation)))
    }

    /// Connects to `upstream`, or to the one that follows it where it has just died.
    async fn connect_or_succeed(self, upstream: Upstream) -> Result<(Box<Kept>, Upstream), Failure> {
        let generation = self.0.pool.generation();
        match self.connect(&upstream).await {
            Err(Failure::Connect(error)) => match self.successor(generation).await {
                Some(upstream) => Ok((self.connect(&upstream).await?, upstream)),
                None => Err(Failure::Connect(error)),
            },
            connected => Ok((connected?, upstream)),
        }
    }

    /// A connected socket, within the time for connecting and the cap on connections.
    async fn socket(&self, upstream: &Upstream) -> Result<(Socket, tokio::sync::OwnedSemaphorePermit), Failure> {
        let patience = self.0.settings.borrow().connect_timeout;
        let deadline = tokio::time::Instant::now() + patience;
        let permit = match self.0.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => match timeout(patience, self.0.permits.clone().acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(Failure::Busy),
            },
        };
        match tokio::time::timeout_at(deadline, upstream.connect()).await {
            Ok(Ok(socket)) => Ok((socket, permit)),
            Ok(Err(error)) => Err(Failure::Connect(error)),
            Err(_) => Err(Failure::ConnectTimeout),
        }
    }
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}
