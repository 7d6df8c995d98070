//! One worker: a thread with a runtime of its own, its connections, its pool, its shard of the metrics.
//!
//! Nothing on the path of a request takes a lock that another worker holds.

mod sweep;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use seaworthy::core::event::{Nowhere, Sink};
use seaworthy::lifecycle::Lifecycle;
use seaworthy::stack::{Settings as StackSettings, Stack, Stacked};
use seaworthy_core::connection::{Drain, Order, Phase, pause};
use seaworthy_core::tick::TICK;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tower_layer::Layer;
use tower_service::Service;

use super::accept::{AcceptSettings, Accepted, Acceptor};
use super::alarm::Alarms;
use super::clock::Ticks;
use super::connection::body::RequestBody;
use super::connection::state::Connection;
use super::connection::{self, ConnectionSettings};
use super::observer::WorkerObserver;
use super::proxy::body::ProxyBody;
use super::proxy::upstream::Upstream;
use super::proxy::{Proxy, ProxySettings};
use super::registry::{CutRequest, Registry};
use super::shared::WorkerShare;
use super::socket::Socket;

pub(crate) type StackService = Stacked<Proxy, WorkerObserver, Alarms>;
pub(crate) type StackFuture = <StackService as Service<Request<RequestBody>>>::Future;
pub(crate) type StackBody = seaworthy::access::AnswerBody<ProxyBody, WorkerObserver>;

/// All that a reload can change in a worker.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub stack: StackSettings,
    pub connection: ConnectionSettings,
    pub proxy: ProxySettings,
    pub accept: AcceptSettings,
    pub public: Public,
}

/// Answers that we give on the public listener without asking the program: probes, if they are on there.
#[derive(Clone)]
pub struct Public(Arc<Answerer>);

type Answerer = dyn Fn(&Request<Incoming>, Option<IpAddr>) -> Option<Response<Full<Bytes>>> + Send + Sync;

impl Public {
    pub fn new(
        answer: impl Fn(&Request<Incoming>, Option<IpAddr>) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(answer))
    }

    fn answer(&self, request: &Request<Incoming>, client: Option<IpAddr>) -> Option<Response<Full<Bytes>>> {
        (self.0)(request, client)
    }
}

impl std::fmt::Debug for Public {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Public")
    }
}

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve this connection.
    Serve(Accepted),
    /// Forward to this upstream from now on.
    Forward(Option<Upstream>),
    /// From the next request on.
    Reload(Arc<WorkerSettings>),
    /// The drain began: HTTP/2 clients are told to leave, one after the other over this time.
    Farewell { over: Duration },
    /// The listeners are closed: what is idle closes, streams and tunnels end over this time.
    Finish { over: Duration },
    /// Accept what waits, then close the listeners.
    CloseListeners(oneshot::Sender<()>),
    /// Answer when no connection is open any more.
    WhenEmpty(oneshot::Sender<()>),
    /// Close everything, and say which requests that cost.
    Cut(oneshot::Sender<Vec<CutRequest>>),
    /// End the thread.
    Quit,
}

/// What a worker is made of.
pub(crate) struct Setup {
    pub(crate) index: usize,
    pub(crate) settings: Arc<WorkerSettings>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) shares: Arc<[Arc<WorkerShare>]>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    /// The first worker accepts for all.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) make_observer: Box<dyn FnOnce(Arc<WorkerShare>) -> WorkerObserver + Send>,
}

/// A worker, on its own thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) ticks: Ticks,
    pub(crate) registry: Registry,
    pub(crate) observer: WorkerObserver,
    pub(crate) sink: SharedSink,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) stack: RefCell<StackService>,
    pub(crate) connection_settings: RefCell<ConnectionSettings>,
    pub(crate) public: CurrentPublic,
    alarms: Alarms,
    proxy: Proxy,
    share: Arc<WorkerShare>,
    drain: Cell<Drain>,
}

/// A sink that can be printed.
#[derive(Clone)]
pub(crate) struct SharedSink(Arc<dyn Sink>);

impl std::ops::Deref for SharedSink {
    type Target = dyn Sink;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl std::fmt::Debug for SharedSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

/// The [`Public`] in force.
#[derive(Debug)]
pub(crate) struct CurrentPublic(RefCell<Public>);

impl CurrentPublic {
    pub(crate) fn answer(&self, request: &Request<Incoming>, client: Option<IpAddr>) -> Option<Response<Full<Bytes>>> {
        self.0.borrow().answer(request, client)
    }
}

/// The body of a worker's thread.
pub(crate) fn run(setup: Setup) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let Setup { index, settings, lifecycle, sink, permits, shares, mut commands, acceptor, make_observer } = setup;
        let share = shares[index].clone();
        let ticks = Ticks::default();
        let registry = Registry::new(share.clone(), ticks.clone());
        let observer = make_observer(share.clone());
        let proxy = Proxy::new(
            settings.proxy.clone(),
            permits,
            registry.clone(),
            observer.clone(),
            SharedSink(sink.clone()),
            ticks.clone(),
        );
        let alarms = Alarms::new(ticks.clone());
        let stack = stack(&settings, &lifecycle, &observer, &alarms, &proxy);
        let worker = Rc::new(Worker {
            ticks,
            registry,
            observer,
            sink: SharedSink(sink),
            lifecycle,
            stack: RefCell::new(stack),
            connection_settings: RefCell::new(settings.connection.clone()),
            public: CurrentPublic(RefCell::new(settings.public.clone())),
            alarms,
            proxy,
            share,
            drain: Cell::default(),
        });
        let sweeping = tokio::task::spawn_local(sweep::run(worker.clone(), Instant::now()));
        let mut acceptor = acceptor.map(|acceptor| acceptor.start(worker.clone(), shares.clone()));
        while let Some(command) = commands.recv().await {
            match command {
                Command::Quit => break,
                Command::CloseListeners(done) => {
                    if let Some(acceptor) = acceptor.take() {
                        acceptor.close().await;
                    }
                    // Whoever asked may have been given up on meanwhile.
                    let _ = done.send(());
                }
                Command::Reload(settings) => {
                    if let Some(acceptor) = &acceptor {
                        acceptor.set(settings.accept.clone());
                    }
                    worker.reload(&settings);
                }
                other => worker.follow(other),
            }
        }
        sweeping.abort();
    });
    // Tasks that are left are connections that were cut.
    Ok(())
}

fn stack(
    settings: &WorkerSettings,
    lifecycle: &Lifecycle,
    observer: &WorkerObserver,
    alarms: &Alarms,
    proxy: &Proxy,
) -> StackService {
    // A panic is reported by the hook of the process, which knows its place.
    let mut settings = settings.stack.clone();
    settings.cors = settings.cors.unshared();
    let stack = Stack::new(settings, lifecycle.clone(), observer.clone(), Arc::new(Nowhere));
    stack.timer(alarms.clone()).layer(proxy.clone())
}

impl Worker {
    fn follow(self: &Rc<Self>, command: Command) {
        match command {
            Command::Serve(accepted) => {
                self.share.handed.fetch_sub(1, Ordering::Relaxed);
                self.serve(accepted);
            }
            Command::Forward(upstream) => self.proxy.forward_to(upstream),
            Command::Farewell { over } => self.farewell(over),
            Command::Finish { over } => self.finish(over),
            Command::WhenEmpty(done) => {
                let registry = self.registry.clone();
                tokio::task::spawn_local(async move {
                    registry.empty().await;
                    let _ = done.send(());
                });
            }
            Command::Cut(answer) => {
                let cut = self.registry.running();
                self.registry.each(|connection| connection.order(Order::Cut));
                let _ = answer.send(cut);
            }
            // These concern the loop and are followed there.
            Command::Reload(_) | Command::CloseListeners(_) | Command::Quit => {}
        }
    }

    fn reload(&self, settings: &WorkerSettings) {
        *self.stack.borrow_mut() = stack(settings, &self.lifecycle, &self.observer, &self.alarms, &self.proxy);
        *self.connection_settings.borrow_mut() = settings.connection.clone();
        *self.public.0.borrow_mut() = settings.public.clone();
        self.proxy.set(settings.proxy.clone());
        self.observer.reload();
    }

    /// Serves a connection that was accepted.
    pub(crate) fn serve(self: &Rc<Self>, accepted: Accepted) {
        let Accepted { stream, peer, counted } = accepted;
        // Else the client reset it between the accept and here.
        let Ok(socket) = stream.into_socket() else { return };
        let open = self.registry.connect(|key| Connection::new(key, peer, self.ticks.now()));
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            connection::serve(worker, socket, open).await;
            drop(counted);
        });
    }

    fn farewell(self: &Rc<Self>, over: Duration) {
        self.drain.set(Drain { farewell: Some(self.ticks.now()), ..self.drain.get() });
        let of_http2 = self.keys(|connection| connection.phase() == Phase::Streams);
        self.order_one_by_one(of_http2, over);
    }

    fn finish(self: &Rc<Self>, over: Duration) {
        self.drain.set(Drain { finishing: true, ..self.drain.get() });
        let tunnels = self.keys(|connection| connection.phase() == Phase::Tunnel);
        self.order_one_by_one(tunnels, over);
        let streams = self.registry.streams();
        let pause = pause(over, streams.len());
        tokio::task::spawn_local(async move {
            for stream in streams {
                stream.end();
                tokio::time::sleep(pause).await;
            }
        });
        sweep::once(self);
    }

    fn keys(&self, which: impl Fn(&Connection) -> bool) -> Vec<usize> {
        let mut keys = Vec::new();
        self.registry.each(|connection| {
            if which(connection) {
                keys.push(connection.key);
            }
        });
        // In an order that says nothing about when they came.
        fastrand::shuffle(&mut keys);
        keys
    }

    /// Tells connections to leave, evenly over a time, so that not all of them come back elsewhere at once.
    fn order_one_by_one(self: &Rc<Self>, keys: Vec<usize>, over: Duration) {
        let pause = pause(over, keys.len());
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            for key in keys {
                if let Some(connection) = worker.registry.connection(key) {
                    connection.order(Order::Leave);
                }
                tokio::time::sleep(pause).await;
            }
        });
    }
}

/// How often the loop of a worker must turn for the process to be alive.
pub(crate) const TURNS_WITHIN: Duration = Duration::from_secs(10);

/// Whether a worker's loop has turned lately.
pub(crate) fn turns(share: &WorkerShare, since_start: Duration) -> bool {
    let turned = TICK * u32::try_from(share.turned.get()).unwrap_or(u32::MAX);
    since_start.saturating_sub(turned) < TURNS_WITHIN
}

impl super::accept::Stream {
    fn into_socket(self) -> std::io::Result<Socket> {
        match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                tokio::net::TcpStream::from_std(stream).map(Socket::Tcp)
            }
            Self::Unix(stream) => tokio::net::UnixStream::from_std(stream).map(Socket::Unix),
        }
    }
}
