//! A server: what it listens on, what it is told during a drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use seaworthy_core::connection::{Drain, Order, Phase, pause};
use seaworthy_core::event::{Event, Sink};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};

use super::handler::Handler;
use super::registry::{Cut, Registry};
use super::socket::Socket;
use super::state::Connection;
use super::stream::{ClientStream, Open};
use super::{ConnectionLimits, Counts, Listener, Shared, connection, sweep};
use crate::metrics::Connections;

/// When the process is out of file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// How long the tasks of connections that were cut have to say which requests that cost.
const CUTTING: Duration = Duration::from_millis(500);

/// How often it is looked whether they have.
const MOMENT: Duration = Duration::from_millis(1);

/// What a server is made of.
pub(crate) struct Setup<S> {
    pub(crate) listener: Listener,
    pub(crate) limits: ConnectionLimits,
    pub(crate) service: S,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) counts: Counts,
    /// One more connection than allowed closes the one that has been idle for the longest, instead of waiting.
    pub(crate) evict: bool,
}

/// A server that runs. Dropping it stops it at once.
#[derive(Debug)]
pub(crate) struct Server {
    shared: Arc<Shared>,
    close: Option<oneshot::Sender<()>>,
    accepting: JoinHandle<()>,
    sweeping: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.sweeping.abort();
        self.shared.registry.each(|connection| connection.order(Order::Cut));
    }
}

impl Server {
    /// Serves on the runtime of the caller.
    pub(crate) fn start<S: Handler>(setup: Setup<S>) -> Self {
        let Setup { listener, limits, service, sink, counts, evict } = setup;
        let shared = Arc::new(Shared {
            limits,
            registry: Registry::default(),
            sink,
            counts: Arc::new(counts),
            farewell: AtomicU32::new(u32::MAX),
            finish: watch::Sender::new(None),
        });
        let sweeping = tokio::spawn(sweep::run(Arc::downgrade(&shared))).abort_handle();
        let (close, closing) = oneshot::channel();
        let permits = Arc::new(Semaphore::new(limits.connections));
        let door = Door { shared: shared.clone(), evict, permits, full: AtomicBool::new(false) };
        let accepting = tokio::spawn(door.run(listener, service, closing));
        Self { shared, close: Some(close), accepting, sweeping }
    }

    /// Says what its connections are, and goes on saying what became of them when it is gone.
    pub(crate) fn connections(&self) -> impl Fn() -> Connections + Send + Sync + 'static {
        // Weak, since what it reports to may be who asks.
        let (counts, shared) = (self.shared.counts.clone(), Arc::downgrade(&self.shared));
        move || counts.read(shared.upgrade().as_ref().map(|shared| &shared.registry))
    }

    /// Requests that are open.
    pub(crate) fn in_flight(&self) -> u32 {
        self.shared.registry.in_flight()
    }

    /// Tells HTTP/2 clients to leave, one after the other over this time, and those that still come after their first
    /// request. HTTP/1 clients are told by the answers of the gate.
    pub(crate) fn farewell(&self, over: Duration) {
        self.shared.farewell.store(self.shared.registry.now(), Relaxed);
        self.leave_one_by_one(Phase::Streams, over);
    }

    /// Accepts what waits, and nothing more.
    pub(crate) async fn close_listener(&mut self) {
        drop(self.close.take());
        // A task that panicked has closed its listener too.
        let _ = (&mut self.accepting).await;
    }

    /// Closes what is idle, and ends streams and WebSockets over this time.
    pub(crate) fn finish(&self, over: Duration) {
        self.shared.finish.send_replace(Some(over));
        self.leave_one_by_one(Phase::Tunnel, over);
        sweep::once(&self.shared);
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        self.shared.registry.empty().await;
    }

    /// Closes everything, and says which requests that cost.
    pub(crate) async fn cut(&self) -> Cut {
        let registry = &self.shared.registry;
        // Those that were cut before, since their clients took nothing, are not of this.
        drop(registry.take_cut());
        let connections = registry.all();
        for connection in &connections {
            connection.order(Order::Cut);
        }
        let ended = async {
            registry.empty().await;
            // A connection counts as gone when its socket is, and its requests are dropped a moment later, on another thread.
            while connections.iter().any(|connection| connection.requests() > 0) {
                sleep(MOMENT).await;
            }
        };
        // A service that blocks its thread never gets to end.
        let _ = timeout(CUTTING, ended).await;
        registry.take_cut()
    }

    /// Not all at once, so that not all of them come back elsewhere at once.
    fn leave_one_by_one(&self, phase: Phase, over: Duration) {
        let mut leaving: Vec<_> = self.shared.registry.all();
        leaving.retain(|connection| connection.phase() == phase);
        // In an order that says nothing about when they came.
        fastrand::shuffle(&mut leaving);
        let pause = pause(over, leaving.len());
        tokio::spawn(async move {
            for connection in leaving {
                connection.order(Order::Leave);
                sleep(pause).await;
            }
        });
    }
}

impl Shared {
    /// How far it is in letting go of its clients.
    pub(super) fn drain(&self) -> Drain {
        let farewell = Some(self.farewell.load(Relaxed)).filter(|tick| *tick != u32::MAX);
        Drain { farewell, finishing: self.finish.borrow().is_some() }
    }

    /// Completes when streams should end, and says over which time.
    pub(super) async fn finishing(&self) -> Duration {
        let over = self.finish.subscribe().wait_for(Option::is_some).await.ok().and_then(|over| *over);
        over.unwrap_or_default()
    }
}

struct Door {
    shared: Arc<Shared>,
    evict: bool,
    permits: Arc<Semaphore>,
    /// That no more connections are allowed has been said.
    full: AtomicBool,
}

impl Door {
    async fn run<S: Handler>(self, listener: Listener, service: S, mut closing: oneshot::Receiver<()>) {
        // The service is handed in: held by reference, it would have to be `Sync`.
        let serve = |service: S, socket, peer, permit| {
            let stream = self.open(socket, peer, permit);
            tokio::spawn(connection::serve(self.shared.clone(), stream, service));
        };
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = &mut closing => break,
                accepted = self.accept(&listener) => accepted,
            };
            match accepted {
                Ok((socket, peer, permit)) => {
                    failing = false;
                    serve(service.clone(), socket, peer, permit);
                }
                Err(error) => {
                    // Once, and not ten times a second for as long as it lasts.
                    if !std::mem::replace(&mut failing, true) {
                        self.shared.sink.emit(&Event::AcceptFailed { reason: error.to_string() });
                    }
                    sleep(BREATH).await;
                }
            }
        }
        for (socket, peer) in listener.close() {
            // Whoever is over the limit would have waited for ever.
            let Ok(permit) = self.permits.clone().try_acquire_owned() else { return };
            serve(service.clone(), socket, peer, permit);
        }
    }

    async fn accept(&self, listener: &Listener) -> std::io::Result<(Socket, Option<SocketAddr>, OwnedSemaphorePermit)> {
        let permit = self.permit().await?;
        let (socket, peer) = listener.accept().await?;
        Ok((socket, peer, permit))
    }

    async fn permit(&self) -> std::io::Result<OwnedSemaphorePermit> {
        let permits = self.permits.clone();
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            self.full.store(false, Relaxed);
            return Ok(permit);
        }
        let closed = |_| std::io::Error::other("the server is gone");
        if !self.evict {
            if !self.full.swap(true, Relaxed) {
                self.shared.counts.limit_hit();
                let limit = u32::try_from(self.shared.limits.connections).unwrap_or(u32::MAX);
                self.shared.sink.emit(&Event::ConnectionLimitHit { limit });
            }
            return permits.acquire_owned().await.map_err(closed);
        }
        loop {
            // One that got busy in this moment stays; another one is asked then.
            self.shared.registry.make_room();
            if let Ok(permit) = timeout(BREATH, permits.clone().acquire_owned()).await {
                return permit.map_err(closed);
            }
        }
    }

    fn open(&self, socket: Socket, peer: Option<SocketAddr>, permit: OwnedSemaphorePermit) -> ClientStream {
        let state = Connection::new(peer, self.shared.registry.now());
        ClientStream::new(socket, Open::new(self.shared.clone(), state, permit))
    }
}
