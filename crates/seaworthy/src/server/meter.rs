//! How fast one body comes: that of the one request over HTTP/1, or of one stream over HTTP/2.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use seaworthy_core::pace::{Arrived, MinRate, Pace};

/// One body that somebody may wait for. In common between whoever reads it, the sweep, and whoever answers in the place of the service.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// The lock is taken where the body begins to be waited for and where it came, and by the sweep.
    pace: Mutex<Pace>,
    /// Bytes that were given to it. Only its reader adds to them.
    given: AtomicU64,
    expired: AtomicBool,
    /// Whoever reads it.
    pub(super) reader: AtomicWaker,
}

impl Meter {
    fn pace<R>(&self, work: impl FnOnce(&mut Pace) -> R) -> R {
        work(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn wait(&self, now: Duration, arrived: Arrived) {
        self.pace(|pace| pace.wait(now, arrived));
    }

    pub(super) fn go_on(&self, now: Duration) {
        self.pace(|pace| pace.go_on(now));
    }

    /// So much was given to it. Without a lock of the bus: nobody else adds.
    pub(super) fn give(&self, bytes: u64) {
        self.given.store(self.given() + bytes, Relaxed);
    }

    pub(super) fn given(&self) -> u64 {
        self.given.load(Relaxed)
    }

    /// Lets the next read of it fail, if it came too slowly.
    pub(super) fn expire(&self, min: MinRate, now: Duration, arrived: Arrived) {
        if self.pace(|pace| pace.is_too_slow(min, now, arrived)) {
            self.expired.store(true, Relaxed);
            self.reader.wake();
        }
    }

    /// Whether it came too slowly.
    pub(crate) fn is_expired(&self) -> bool {
        self.expired.load(Relaxed)
    }
}
