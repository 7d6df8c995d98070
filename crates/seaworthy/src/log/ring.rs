//! What waits for the writer: chunks of whole lines, bounded in bytes.
//!
//! The lock is held to move pointers, never to write; a worker takes it once for some hundred lines.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// How much may wait: at 300 bytes a line some 14,000 lines, a fraction of a second of full load.
const CAPACITY: usize = 4 * 1024 * 1024;

/// Single lines are gathered in chunks of about this size.
pub(super) const CHUNK: usize = 64 * 1024;

/// Some whole lines.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
    /// Where the buffer is used again, once it is written.
    pub(super) home: Option<SyncSender<Vec<u8>>>,
}

/// The chunks that wait.
#[derive(Debug)]
pub(super) struct Ring {
    state: Mutex<State>,
    capacity: usize,
    filled: Condvar,
    emptied: Condvar,
    room: Notify,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Of all chunks, those being written included.
    bytes: usize,
    closed: bool,
}

impl Default for Ring {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Ring {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity,
            filled: Condvar::new(),
            emptied: Condvar::new(),
            room: Notify::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Takes a chunk, or counts its lines and hands its buffer back.
    pub(super) fn push(&self, chunk: Chunk) -> Result<(), Vec<u8>> {
        let mut state = self.lock();
        if state.bytes + chunk.bytes.len() > self.capacity {
            drop(state);
            self.lost(chunk.lines);
            return Err(chunk.bytes);
        }
        state.bytes += chunk.bytes.len();
        state.chunks.push_back(chunk);
        self.wake(state);
        Ok(())
    }

    /// Takes one line, or counts it.
    pub(super) fn append(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.bytes + line.len() > self.capacity {
            drop(state);
            return self.lost(1);
        }
        state.bytes += line.len();
        match state.chunks.back_mut() {
            // What has a home is a worker's, and would grow there for good.
            Some(last) if last.home.is_none() && last.bytes.len() + line.len() <= CHUNK => {
                last.bytes.extend_from_slice(line);
                last.lines += 1;
            }
            _ => state.chunks.push_back(Chunk { bytes: line.to_vec(), lines: 1, home: None }),
        }
        self.wake(state);
    }

    /// Moves what waits into `chunks`, which is empty; waits for it. False when it is over.
    pub(super) fn take(&self, chunks: &mut VecDeque<Chunk>) -> bool {
        let mut state = self.lock();
        while state.chunks.is_empty() {
            if state.closed {
                return false;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.chunks, chunks);
        true
    }

    /// Makes room for as many bytes as were written, or given up.
    pub(super) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes -= bytes;
        let empty = state.bytes == 0;
        drop(state);
        if empty {
            self.emptied.notify_all();
        }
        self.room.notify_waiters();
    }

    /// Completes when half of it is free, which fits the longest of lines many times.
    pub(super) async fn room(&self) {
        loop {
            let room = self.room.notified();
            let mut room = std::pin::pin!(room);
            // Enrolled before it looks, or a release in between would go unnoticed.
            room.as_mut().enable();
            if self.lock().bytes <= self.capacity / 2 {
                return;
            }
            room.await;
        }
    }

    pub(super) fn wait_until_empty(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.bytes > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.emptied.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    pub(super) fn lost(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        // More than one wait only while the writer is busy, and then it looks by itself.
        let first = state.chunks.len() == 1;
        drop(state);
        if first {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
