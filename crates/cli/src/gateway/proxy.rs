//! The innermost service: hands a request to the program and its answer back.
//!
//! # What is tried again
//!
//! One retry, by itself, where nothing can have happened: an idempotent request without a body, on a kept connection
//! that broke before it gave a byte (RFC 9110, 9.2.2). Everything else the client has to decide.

pub(crate) mod body;
mod failure;
pub(crate) use failure::Failure;
mod h2;
pub(crate) mod head;
pub(crate) mod pool;
pub(crate) mod upstream;
mod websocket;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, Version, header, request};
use http_body::Body;
use hyper::body::Incoming;
use seaworthy::access::{CountedBody, Learnt, Upstreamed};
use seaworthy::context::{Correlation, RequestContext};
use seaworthy::core::event::Event;
use seaworthy::limit::body::LimitedBody;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use self::body::{ProxyBody, UpstreamBody};

use self::pool::{Kept, Pool};
use self::upstream::{Protocol, Upstream};
use super::clock::{Ticks, ticks};
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
pub(crate) struct ProxySettings {
    pub(crate) longest_target: u64,
    pub(crate) connect_timeout: Duration,
    /// How long a request may wait for the program that follows one that died; 0 where nobody starts another.
    pub(crate) hold: Duration,
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
    pool: Pool<InnerBody>,
    h2: h2::Connections<InnerBody>,
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

    /// What can be done at once is done here and not in the future: a future holds every request that it was ever given,
    /// once for each function that it passed through, and is allocated at that size.
    fn call(&mut self, mut request: Request<InnerBody>) -> Answered {
        let longest_target = self.0.settings.borrow().longest_target;
        if let Err(refusal) = head::refuse(&request, longest_target) {
            let answer = refusal.respond(&Correlation::of(&request));
            return Box::pin(ready(Ok(answer)));
        }
        let Some(upstream) = self.0.upstream.borrow().clone() else {
            let answer = Failure::NoAddress.refusal().respond(&Correlation::of(&request));
            return Box::pin(ready(Ok(answer)));
        };
        let exchange = Exchange::begin(self.clone(), upstream, &request);
        let websocket = head::wants_websocket(&request);
        let over_h2 = match exchange.upstream.protocol {
            Protocol::H2c => true,
            Protocol::Auto => request.version() == Version::HTTP_2 && is_grpc(&request),
            Protocol::Http1 => false,
        };
        prepare(&mut request);
        match exchange.connection {
            Some(connection) if websocket => Box::pin(exchange.websocket(request, connection)),
            _ if over_h2 => Box::pin(exchange.over_h2(request)),
            _ => {
                *request.version_mut() = Version::HTTP_11;
                head::origin_form(request.uri_mut());
                // What has a body cannot be said again by us: its first bytes are gone when the connection proves to be.
                let repeatable = is_idempotent(request.method()) && request.body().is_end_stream();
                match self.0.pool.take(repeatable) {
                    None => Box::pin(exchange.over_new(request)),
                    Some(mut kept) => {
                        // What is needed to say it again, where that is allowed.
                        let again = repeatable.then(|| copy_of(&request));
                        let answer = kept.send(request);
                        Box::pin(OverKept { exchange: Some(exchange), kept: Some(kept), answer, again, anew: None })
                    }
                }
            }
        }
    }
}

/// A request on its way to the upstream, and what is to be said of it when its answer begins.
struct Exchange {
    proxy: Proxy,
    upstream: Upstream,
    started: Instant,
    /// What the client's connection is called.
    connection: Option<usize>,
    learnt: Option<Learnt>,
    to: Correlation,
    attempts: u8,
}

impl Exchange {
    fn begin(proxy: Proxy, upstream: Upstream, request: &Request<InnerBody>) -> Self {
        let context = RequestContext::of(request.extensions());
        let connection = context.and_then(|context| context.connection);
        let learnt = context.and_then(|context| context.learnt.clone());
        Self { proxy, upstream, started: Instant::now(), connection, learnt, to: Correlation::of(request), attempts: 1 }
    }

    async fn websocket(
        self,
        request: Request<InnerBody>,
        connection: usize,
    ) -> Result<Response<ProxyBody>, Infallible> {
        let outcome = self.proxy.websocket(&self.upstream, request, connection).await;
        Ok(self.end(outcome))
    }

    async fn over_h2(self, request: Request<InnerBody>) -> Result<Response<ProxyBody>, Infallible> {
        let outcome = self.proxy.over_h2(&self.upstream, request).await;
        Ok(self.end(outcome))
    }

    async fn over_new(mut self, request: Request<InnerBody>) -> Result<Response<ProxyBody>, Infallible> {
        let generation = self.proxy.0.pool.generation();
        let connected = match self.proxy.connect(&self.upstream).await {
            Err(Failure::Connect(error)) => match self.proxy.successor(generation).await {
                Some(upstream) => {
                    self.upstream = upstream;
                    self.proxy.connect(&self.upstream).await
                }
                None => Err(Failure::Connect(error)),
            },
            connected => connected,
        };
        let outcome = self.over(connected, request).await;
        Ok(self.end(outcome))
    }

    /// The second time. It waits for no successor: what it meets may be what the first time has done.
    async fn again(self, request: Request<InnerBody>) -> Result<Response<ProxyBody>, Infallible> {
        let connected = self.proxy.connect(&self.upstream).await;
        let outcome = self.over(connected, request).await;
        Ok(self.end(outcome))
    }

    /// Over a connection that nobody used before.
    async fn over(
        &self,
        connected: Result<Box<Kept<InnerBody>>, Failure>,
        request: Request<InnerBody>,
    ) -> Result<Response<ProxyBody>, Failure> {
        let mut kept = connected?;
        let answer = kept.send(request);
        let answer = kept.driving(answer).await.map_err(|error| Failure::of(&error))?;
        Ok(self.proxy.pass_on(answer, kept))
    }

    fn end(self, outcome: Result<Response<ProxyBody>, Failure>) -> Response<ProxyBody> {
        let Self { proxy, upstream, started, learnt, to, attempts, .. } = self;
        let time = started.elapsed();
        let answer = match outcome {
            Ok(answer) => {
                proxy.0.observer.upstream_answered(&upstream.name, answer.status().as_u16(), time);
                answer
            }
            Err(failure) => {
                proxy.0.observer.upstream_failed(&upstream.name, &failure);
                proxy.complain(&upstream.name, &failure);
                failure.refusal().respond(&to)
            }
        };
        if let Some(learnt) = learnt {
            learnt.upstream(Upstreamed { address: upstream.name, time, attempts });
        }
        answer
    }
}

pin_project_lite::pin_project! {
    /// An exchange over a kept connection: nearly all are. Written by hand, because it is allocated for each, and an async
    /// block would hold what it was given several times.
    struct OverKept<A> {
        exchange: Option<Exchange>,
        kept: Option<Box<Kept<InnerBody>>>,
        #[pin]
        answer: A,
        // What is needed to say it again, where that is allowed.
        again: Option<(request::Parts, InnerBody)>,
        anew: Option<Answered>,
    }
}

impl<A> Future for OverKept<A>
where
    A: Future<Output = hyper::Result<Response<Incoming>>>,
{
    type Output = Result<Response<ProxyBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(anew) = this.anew {
            return anew.as_mut().poll(cx);
        }
        if let Some(kept) = this.kept {
            kept.drive(cx);
        }
        let answer = std::task::ready!(this.answer.poll(cx));
        let (Some(mut exchange), Some(kept)) = (this.exchange.take(), this.kept.take()) else { return Poll::Pending };
        let failure = match answer {
            Ok(answer) => {
                let answer = exchange.proxy.pass_on(answer, kept);
                return Poll::Ready(Ok(exchange.end(Ok(answer))));
            }
            Err(error) => Failure::of(&error),
        };
        match (failure, this.again.take()) {
            (Failure::Closed(_), Some((parts, body))) => {
                exchange.attempts += 1;
                exchange.proxy.0.observer.upstream_retried();
                let anew = this.anew.insert(Box::pin(exchange.again(Request::from_parts(parts, body))));
                anew.as_mut().poll(cx)
            }
            (failure, _) => Poll::Ready(Ok(exchange.end(Err(failure)))),
        }
    }
}

impl Proxy {
    /// Makes the answer of a kept connection ours; its body gives the connection back.
    fn pass_on(&self, mut answer: Response<Incoming>, mut kept: Box<Kept<InnerBody>>) -> Response<ProxyBody> {
        if let Some(seconds) = head::keep_alive_timeout(answer.headers()) {
            kept.keep_for(seconds);
        }
        head::strip_hop_by_hop(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        answer.map(|body| ProxyBody::Upstream { body: UpstreamBody::new(body, kept, self.0.pool.clone()) })
    }

    async fn connect(&self, upstream: &Upstream) -> Result<Box<Kept<InnerBody>>, Failure> {
        let generation = self.0.pool.generation();
        let (socket, permit) = self.socket(upstream).await?;
        let open = self.0.observer.upstream_opened();
        let kept = Kept::new(socket, permit, open, generation).await.map_err(|error| Failure::of(&error))?;
        Ok(Box::new(kept))
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

/// Makes the head one for the next hop.
fn prepare(request: &mut Request<InnerBody>) {
    let peer = RequestContext::of(request.extensions()).and_then(|context| context.peer_header.clone());
    let authority = request.uri().authority().cloned();
    let headers = request.headers_mut();
    head::strip_hop_by_hop(headers);
    headers.remove(header::EXPECT);
    head::add_forwarded(headers, peer.as_ref(), authority.as_ref());
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// RFC 9110, 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE)
}

/// The head of a request, and its body, which is empty.
fn copy_of(request: &Request<InnerBody>) -> (request::Parts, InnerBody) {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    let (parts, ()) = copy.into_parts();
    (parts, InnerBody::default())
}
