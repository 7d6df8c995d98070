//! [`Requests`] in a process whose requests may run on any thread.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, Weak};

use seaworthy_core::event::RequestFinished;
use seaworthy_core::refusal::Reason;

use super::lock;
use super::requests::{RequestShard, Requests};
use crate::access::Observer;

/// Counts requests, each thread for itself. A copy counts for the same [`Metrics`](super::Metrics), and costs nothing:
/// a reference count would be a number that every core writes a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestObserver(usize);

/// Whom an observer counts for, by its number. Weak: what nobody can read any more needs no counting.
static KNOWN: Mutex<Vec<Weak<Requests>>> = Mutex::new(Vec::new());

/// After so many requests of a thread each series may have another exemplar.
const TURN: u32 = 256;

struct Local {
    shards: RefCell<Vec<Option<RequestShard>>>,
    finished: Cell<u32>,
}

thread_local! {
    static LOCAL: Local = const { Local { shards: RefCell::new(Vec::new()), finished: Cell::new(0) } };
}

impl Drop for Local {
    fn drop(&mut self) {
        for (number, shard) in self.shards.get_mut().drain(..).enumerate() {
            let requests = lock(&KNOWN).get(number).and_then(Weak::upgrade);
            if let (Some(requests), Some(shard)) = (requests, shard) {
                requests.give_back(shard);
            }
        }
    }
}

impl RequestObserver {
    pub(super) fn new(requests: &Arc<Requests>) -> Self {
        let mut known = lock(&KNOWN);
        known.push(Arc::downgrade(requests));
        Self(known.len() - 1)
    }

    fn with(self, count: impl FnOnce(&RequestShard, &Cell<u32>)) {
        // A thread that is ending has no numbers any more: what is dropped with it goes uncounted.
        let _ = LOCAL.try_with(|local| {
            let mut shards = local.shards.borrow_mut();
            if shards.len() <= self.0 {
                shards.resize_with(self.0 + 1, || None);
            }
            if shards[self.0].is_none() {
                shards[self.0] = lock(&KNOWN)[self.0].upgrade().map(|requests| requests.shard());
            }
            if let Some(shard) = &shards[self.0] {
                count(shard, &local.finished);
            }
        });
    }
}

impl RequestObserver {
    /// Something was refused that never became a request.
    pub(crate) fn refused(self, reason: Reason) {
        self.with(|shard, _| shard.refused(reason));
    }
}

impl Observer for RequestObserver {
    fn started(&self) {
        self.with(|shard, _| shard.started());
    }

    fn finished(&self, request: &RequestFinished<'_>) {
        self.with(|shard, finished| {
            finished.set(finished.get().wrapping_add(1));
            if finished.get().is_multiple_of(TURN) {
                shard.tick();
            }
            shard.finished(request);
        });
    }
}
