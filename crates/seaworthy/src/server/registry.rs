//! The connections that are open, and what it cost to cut some.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;
use tokio::sync::watch;

use super::state::{Connection, Phase, TICK};

/// Requests that are remembered one by one when they are cut; the rest is counted.
const SHOWN: usize = 100;

/// A request that was cut.
#[derive(Debug, Clone)]
pub(crate) struct CutRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) after: Duration,
}

/// The requests that were cut.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) shown: VecDeque<CutRequest>,
    pub(crate) count: u32,
}

/// The connections of one server. The lock is taken when one opens or ends and by the sweep, never by a request.
#[derive(Debug)]
pub(crate) struct Registry {
    connections: Mutex<Slab<Arc<Connection>>>,
    open: watch::Sender<usize>,
    cut: Mutex<Cut>,
    now: AtomicU32,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            connections: Mutex::default(),
            open: watch::Sender::new(0),
            cut: Mutex::default(),
            now: AtomicU32::new(0),
        }
    }
}

impl Registry {
    /// The time, in ticks.
    pub(super) fn now(&self) -> u32 {
        self.now.load(Relaxed)
    }

    /// The time since the server began, to a tick.
    pub(super) fn time(&self) -> Duration {
        TICK * self.now()
    }

    pub(super) fn set_now(&self, now: u32) {
        self.now.store(now, Relaxed);
    }

    fn connections(&self) -> MutexGuard<'_, Slab<Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, connection: Arc<Connection>) -> usize {
        let key = self.connections().insert(connection);
        self.open.send_modify(|open| *open += 1);
        key
    }

    pub(super) fn remove(&self, key: usize) {
        self.connections().try_remove(key);
        self.open.send_modify(|open| *open = open.saturating_sub(1));
    }

    /// All connections now. Copied, so that no order is given under the lock.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.connections().iter().map(|(_, connection)| connection.clone()).collect()
    }

    pub(super) fn each(&self, mut look: impl FnMut(&Connection)) {
        for (_, connection) in &*self.connections() {
            look(connection);
        }
    }

    /// Requests that are open.
    pub(crate) fn in_flight(&self) -> u32 {
        let mut sum = 0;
        self.each(|connection| sum += connection.requests());
        sum
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        // The sender lives as long as `self`.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Tells the connection that has been idle for the longest to close.
    pub(super) fn make_room(&self) {
        let idle = self.all().into_iter().filter(|connection| connection.phase() == Phase::Idle);
        if let Some(longest) = idle.min_by_key(|connection| connection.since()) {
            longest.order_close_if_idle();
        }
    }

    /// A request was cut.
    pub(super) fn note_cut(&self, request: CutRequest) {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.count = cut.count.saturating_add(1);
        if cut.shown.len() < SHOWN {
            cut.shown.push_back(request);
        }
    }

    /// The requests that were cut so far.
    pub(crate) fn take_cut(&self) -> Cut {
        std::mem::take(&mut *self.cut.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
