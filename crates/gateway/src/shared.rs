//! What a worker shows to other threads: numbers that it alone writes and anybody may read.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A number with one writer. Its reader may see it a moment late.
#[derive(Debug, Default)]
pub struct Shown(AtomicUsize);

impl Shown {
    pub fn set(&self, value: usize) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker shows.
#[derive(Debug, Default)]
pub struct WorkerShare {
    pub connections: Shown,
    pub in_flight: Shown,
    pub tunnels: Shown,
    /// Answers completed since the start: whether the program does anything at all.
    pub completed: AtomicU64,
    /// The worker's clock when its loop last turned, in ticks.
    pub turned: Shown,
    /// Connections that were handed over and not yet entered.
    pub handed: AtomicUsize,
}

impl WorkerShare {
    /// How many answers of the program were completed.
    pub fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// How much a worker has to do, for whoever hands out the next connection.
    pub fn load(&self) -> usize {
        self.connections.get() + self.handed.load(Ordering::Relaxed)
    }
}
