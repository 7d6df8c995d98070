//! What stands in front of the program: workers that serve clients, and the one handle on all of them.

mod accept;
mod alarm;
mod clock;
mod connection;
mod executor;
mod listener;
pub mod metrics;
mod observer;
mod proxy;
mod registry;
mod shared;
mod socket;
pub mod sockets;
mod telemetry;
mod tunnel;
mod worker;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use seaworthy::core::event::Sink;
use seaworthy::lifecycle::Lifecycle;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::accept::AcceptSettings;
pub use self::connection::ConnectionSettings;
pub use self::listener::{BindError, Bound, Listener};
pub use self::observer::WorkerObserver;
pub use self::proxy::ProxySettings;
pub use self::proxy::head::strip_hop_by_hop;
pub use self::proxy::upstream::{Address, Protocol, Upstream};
pub use self::registry::CutRequest;
pub use self::shared::WorkerShare;
pub use self::socket::Socket;
pub use self::telemetry::{CurrentlyShown, WorkerTelemetry};
pub use self::worker::{Public, WorkerSettings};

use self::accept::Acceptor;
use self::worker::{Command, Setup};

/// What a gateway is made of.
#[expect(missing_debug_implementations, reason = "functions cannot be shown")]
pub struct GatewaySetup {
    pub workers: usize,
    pub listeners: Vec<Listener>,
    pub settings: WorkerSettings,
    /// Most connections to upstreams at once, of all workers.
    pub upstream_connections: usize,
    pub lifecycle: Lifecycle,
    pub sink: Arc<dyn Sink>,
    /// Makes the observer of each worker, on its thread.
    pub observers: Vec<MakeObserver>,
}

/// Makes an observer on the thread of its worker.
pub type MakeObserver = Box<dyn FnOnce(Arc<WorkerShare>) -> WorkerObserver + Send>;

/// All workers.
#[derive(Debug)]
pub struct Gateway {
    commands: Vec<mpsc::UnboundedSender<Command>>,
    threads: Vec<JoinHandle<()>>,
    shares: Arc<[Arc<WorkerShare>]>,
    lost: mpsc::UnboundedReceiver<usize>,
    bound: Vec<Bound>,
    started: Instant,
}

impl Gateway {
    /// Starts the workers; they serve from now on.
    pub fn start(setup: GatewaySetup) -> io::Result<Self> {
        let GatewaySetup { workers, listeners, settings, upstream_connections, lifecycle, sink, observers } = setup;
        let bound = listeners.iter().map(|listener| listener.bound.clone()).collect();
        let shares: Arc<[Arc<WorkerShare>]> = (0..workers).map(|_| Arc::default()).collect();
        let (commands, mut receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
        let (report_loss, lost) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(upstream_connections.min(Semaphore::MAX_PERMITS)));
        let mut acceptor = Some(Acceptor { listeners, settings: settings.accept.clone(), workers: commands.clone() });
        let settings = Arc::new(settings);
        let mut threads = Vec::with_capacity(workers);
        for (index, (commands, make_observer)) in receivers.drain(..).zip(observers).enumerate() {
            let setup = Setup {
                index,
                settings: settings.clone(),
                lifecycle: lifecycle.clone(),
                sink: sink.clone(),
                permits: permits.clone(),
                shares: shares.clone(),
                commands,
                acceptor: acceptor.take(),
                make_observer,
            };
            let report = Loss { index, report: report_loss.clone() };
            let body = move || {
                let report = report;
                if worker::run(setup).is_ok() {
                    report.not_lost();
                }
            };
            threads.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(body)?);
        }
        Ok(Self { commands, threads, shares, lost, bound, started: Instant::now() })
    }

    /// What is listened on.
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// What each worker shows.
    pub fn shares(&self) -> Arc<[Arc<WorkerShare>]> {
        self.shares.clone()
    }

    /// Whether every worker's loop has turned lately; a closure, because probes are answered elsewhere.
    pub fn turning(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let (shares, started) = (self.shares.clone(), self.started);
        move || shares.iter().all(|share| worker::turns(share, started.elapsed()))
    }

    /// Completes with the number of a worker whose thread ended although nobody asked it to.
    pub async fn lost(&mut self) -> usize {
        match self.lost.recv().await {
            Some(index) => index,
            None => std::future::pending().await,
        }
    }

    /// Forwards to `upstream` from now on.
    pub fn forward_to(&self, upstream: Option<&Upstream>) {
        self.tell(|| Command::Forward(upstream.cloned()));
    }

    /// Puts settings in force from the next request on.
    pub fn reload(&self, settings: WorkerSettings) {
        let settings = Arc::new(settings);
        self.tell(|| Command::Reload(settings.clone()));
    }

    /// Begins to tell HTTP/2 clients to leave; HTTP/1 clients are told by each answer.
    pub fn farewell(&self, over: Duration) {
        self.tell(|| Command::Farewell { over });
    }

    /// Accepts what waits, then closes the listeners.
    pub async fn close_listeners(&self) {
        self.ask(Command::CloseListeners).await;
    }

    /// Closes what is idle, and ends streams and tunnels over a time.
    pub fn finish(&self, over: Duration) {
        self.tell(|| Command::Finish { over });
    }

    /// Completes when no connection is open.
    pub async fn empty(&self) {
        self.ask(Command::WhenEmpty).await;
    }

    /// Closes everything, and says which requests that cost.
    pub async fn cut(&self) -> Vec<CutRequest> {
        self.ask(Command::Cut).await.into_iter().flatten().collect()
    }

    /// How many requests are being served.
    pub fn in_flight(&self) -> usize {
        self.shares.iter().map(|share| share.in_flight.get()).sum()
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shares.iter().map(|share| share.connections.get()).sum()
    }

    /// Ends the threads. Connections that are left are dropped.
    pub fn quit(self) {
        self.tell(|| Command::Quit);
        for thread in self.threads {
            // A worker that panicked was reported as lost.
            let _ = thread.join();
        }
    }

    fn tell(&self, command: impl Fn() -> Command) {
        for worker in &self.commands {
            // A worker that is gone was reported as lost.
            let _ = worker.send(command());
        }
    }

    async fn ask<T>(&self, command: impl Fn(oneshot::Sender<T>) -> Command) -> Vec<T> {
        let mut answers = Vec::with_capacity(self.commands.len());
        for worker in &self.commands {
            let (answer, asked) = oneshot::channel();
            let _ = worker.send(command(answer));
            answers.push(asked);
        }
        let mut given = Vec::with_capacity(answers.len());
        for answer in answers {
            given.extend(answer.await);
        }
        given
    }
}

/// Reports a worker as lost when its thread unwinds.
struct Loss {
    index: usize,
    report: mpsc::UnboundedSender<usize>,
}

impl Loss {
    fn not_lost(self) {
        std::mem::forget(self);
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        let _ = self.report.send(self.index);
    }
}
