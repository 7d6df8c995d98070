//! What a worker shows to other threads: numbers that it alone writes and anybody may read.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A number with one writer. Its reader may see it a moment late.
#[derive(Debug, Default)]
pub(crate) struct Shown(AtomicUsize);

impl Shown {
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker shows.
#[derive(Debug, Default)]
pub(crate) struct WorkerShare {
    pub(crate) connections: Shown,
    pub(crate) in_flight: Shown,
    pub(crate) tunnels: Shown,
    /// Answers completed since the start: whether the program does anything at all.
    pub(crate) completed: AtomicU64,
    /// The worker's clock when its loop last turned, in ticks.
    pub(crate) turned: Shown,
    /// Connections that were handed over and not yet entered.
    pub(crate) handed: AtomicUsize,
}

impl WorkerShare {
    /// How many answers of the program were completed.
    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// How much a worker has to do, for whoever hands out the next connection.
    pub(crate) fn load(&self) -> usize {
        self.connections.get() + self.handed.load(Ordering::Relaxed)
    }
}
