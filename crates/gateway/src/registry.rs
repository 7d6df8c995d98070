//! What one worker has open: connections, requests in flight, event streams. One owner, so no locks.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use http::{Method, Request, Uri};
use seaworthy_core::tick::TICK;
use slab::Slab;

use super::clock::Ticks;
use super::connection::body::StreamEnd;
use super::connection::state::Connection;
use super::shared::WorkerShare;

/// The connections and requests of a worker. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Registry(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    connections: RefCell<Slab<Rc<Connection>>>,
    requests: RefCell<Slab<Running>>,
    streams: RefCell<Vec<Weak<StreamEnd>>>,
    /// Whoever waits for the last connection to end.
    emptied: tokio::sync::Notify,
    share: std::sync::Arc<WorkerShare>,
    ticks: Ticks,
    tunnels: Cell<u32>,
}

/// A request that is being served.
#[derive(Debug)]
struct Running {
    method: Method,
    uri: Uri,
    /// In ticks: the clock of the worker is exact enough to say what took too long.
    began: u32,
}

/// A request that had to be cut.
#[derive(Debug, Clone)]
pub struct CutRequest {
    pub method: String,
    pub path: String,
    pub after: Duration,
}

impl Registry {
    pub(crate) fn new(share: std::sync::Arc<WorkerShare>, ticks: Ticks) -> Self {
        Self(Rc::new(Inner {
            connections: RefCell::default(),
            requests: RefCell::default(),
            streams: RefCell::default(),
            emptied: tokio::sync::Notify::new(),
            share,
            ticks,
            tunnels: Cell::new(0),
        }))
    }

    /// Enters a connection; it leaves with the drop of what is returned.
    pub(crate) fn connect(&self, make: impl FnOnce(usize) -> Connection) -> Open {
        let mut connections = self.0.connections.borrow_mut();
        let entry = connections.vacant_entry();
        let state = Rc::new(make(entry.key()));
        entry.insert(state.clone());
        self.0.share.connections.set(connections.len());
        Open { registry: self.clone(), state }
    }

    /// Enters a request; it leaves with the drop of what is returned.
    pub(crate) fn begin<B>(&self, request: &Request<B>) -> InFlight {
        let running =
            Running { method: request.method().clone(), uri: request.uri().clone(), began: self.0.ticks.now() };
        let mut requests = self.0.requests.borrow_mut();
        let key = requests.insert(running);
        self.0.share.in_flight.set(requests.len());
        InFlight { registry: self.clone(), key }
    }

    /// Remembers an event stream, so that a drain can end it.
    pub(crate) fn stream(&self) -> Rc<StreamEnd> {
        let end = Rc::new(StreamEnd::default());
        let mut streams = self.0.streams.borrow_mut();
        // Swept when the list has doubled, so that remembering costs the same however many there are.
        if streams.len() == streams.capacity() {
            streams.retain(|stream| stream.strong_count() > 0);
        }
        streams.push(Rc::downgrade(&end));
        end
    }

    pub(crate) fn streams(&self) -> Vec<Rc<StreamEnd>> {
        self.0.streams.borrow_mut().drain(..).filter_map(|stream| stream.upgrade()).collect()
    }

    pub(crate) fn connection(&self, key: usize) -> Option<Rc<Connection>> {
        self.0.connections.borrow().get(key).cloned()
    }

    /// Calls `look` with each connection. It may give orders, but not open or close any.
    pub(crate) fn each(&self, mut look: impl FnMut(&Connection)) {
        for (_, connection) in self.0.connections.borrow().iter() {
            look(connection);
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.0.connections.borrow().len()
    }

    /// Completes when no connection is open.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Counts a tunnel for as long as what is returned lives.
    pub(crate) fn tunnel(&self) -> TunnelOpen {
        self.0.tunnels.set(self.0.tunnels.get() + 1);
        self.0.share.tunnels.set(self.0.tunnels.get() as usize);
        TunnelOpen(self.clone())
    }

    /// The requests in flight, the oldest first.
    pub(crate) fn running(&self) -> Vec<CutRequest> {
        let (requests, now) = (self.0.requests.borrow(), self.0.ticks.now());
        let mut running: Vec<_> = requests
            .iter()
            .map(|(_, running)| CutRequest {
                method: running.method.to_string(),
                path: running.uri.path().to_owned(),
                after: TICK * now.saturating_sub(running.began),
            })
            .collect();
        running.sort_by_key(|request| std::cmp::Reverse(request.after));
        running
    }
}

/// An entered connection.
#[derive(Debug)]
pub(crate) struct Open {
    registry: Registry,
    pub(crate) state: Rc<Connection>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let inner = &self.registry.0;
        let mut connections = inner.connections.borrow_mut();
        connections.remove(self.state.key);
        inner.share.connections.set(connections.len());
        if connections.is_empty() {
            inner.emptied.notify_waiters();
        }
    }
}

/// An entered request.
#[derive(Debug)]
pub(crate) struct InFlight {
    registry: Registry,
    key: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let inner = &self.registry.0;
        let mut requests = inner.requests.borrow_mut();
        requests.remove(self.key);
        inner.share.in_flight.set(requests.len());
    }
}

/// A counted tunnel.
#[derive(Debug)]
pub(crate) struct TunnelOpen(Registry);

impl Drop for TunnelOpen {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.tunnels.set(inner.tunnels.get() - 1);
        inner.share.tunnels.set(inner.tunnels.get() as usize);
    }
}
