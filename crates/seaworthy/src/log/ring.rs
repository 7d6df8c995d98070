//! What waits for the writer: chunks of whole lines, bounded in bytes.
//!
//! The lock is held to move pointers, never to write; a worker takes it once for some hundred lines.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How much may wait: at 300 bytes a line some 14,000 lines, a fraction of a second of full load.
const CAPACITY: usize = 4 * 1024 * 1024;

/// Single lines are gathered in chunks of about this size.
pub(super) const CHUNK: usize = 64 * 1024;

/// A writer that had to write twice within this time is busy,
const BUSY: Duration = Duration::from_millis(10);

/// and looks again after this time: to be woken for each chunk would cost it, and whoever wakes it, more than the writing.
const DOZE: Duration = Duration::from_millis(2);

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
    /// When the writer took some the last time, and whether that was soon after the time before.
    taken: Option<Instant>,
    busy: bool,
    /// The writer looks again by itself, before long.
    dozing: bool,
}

impl State {
    /// Whether the writer is to be told of the chunk that has just come.
    fn is_urgent(&self, capacity: usize) -> bool {
        // More than one wait only while the writer writes, and then it looks by itself.
        if self.dozing { self.bytes >= capacity / 4 } else { self.chunks.len() == 1 }
    }

    /// The writer takes what there is.
    fn take(&mut self, chunks: &mut VecDeque<Chunk>, now: Instant) {
        self.busy = self.taken.is_some_and(|taken| now.saturating_duration_since(taken) < BUSY);
        self.taken = Some(now);
        std::mem::swap(&mut self.chunks, chunks);
    }
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
        let mut busy = state.busy;
        while state.chunks.is_empty() {
            if state.closed {
                return false;
            }
            // Once, and where nothing came it sleeps until something does.
            state.dozing = std::mem::take(&mut busy);
            state = if state.dozing {
                self.filled.wait_timeout(state, DOZE).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.filled.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
            state.dozing = false;
        }
        state.take(chunks, Instant::now());
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
        let urgent = state.is_urgent(self.capacity);
        drop(state);
        if urgent {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk() -> Chunk {
        Chunk { bytes: vec![b'a'; 100], lines: 1, home: None }
    }

    #[test]
    fn a_writer_that_sleeps_is_woken_by_the_first_chunk_and_one_that_dozes_when_much_waits() {
        let mut state = State { chunks: VecDeque::from([chunk()]), bytes: 100, ..State::default() };
        assert!(state.is_urgent(1000));
        state.dozing = true;
        assert!(!state.is_urgent(1000) && state.is_urgent(400));
        state.chunks.push_back(chunk());
        state.dozing = false;
        assert!(!state.is_urgent(400), "it is awake and looks by itself");
    }

    #[test]
    fn a_writer_is_busy_when_it_took_twice_within_a_short_time() {
        let (mut state, began) = (State::default(), Instant::now());
        for (after, busy) in [(0, false), (9, true), (11, true), (30, false), (31, true)] {
            state.take(&mut VecDeque::new(), began + Duration::from_millis(after));
            assert_eq!(state.busy, busy, "after {after} ms");
        }
    }

    #[test]
    fn every_chunk_reaches_a_busy_writer_and_the_end_too() {
        let ring = Ring::default();
        let written = std::thread::scope(|threads| {
            let writer = threads.spawn(|| {
                let (mut chunks, mut written) = (VecDeque::new(), 0);
                while ring.take(&mut chunks) {
                    let bytes = chunks.drain(..).map(|chunk| chunk.bytes.len()).sum();
                    written += bytes;
                    ring.release(bytes);
                }
                written
            });
            for _ in 0..1000 {
                assert!(ring.push(chunk()).is_ok());
                assert!(ring.wait_until_empty(Instant::now() + Duration::from_mins(1)), "it looks again by itself");
            }
            ring.close();
            writer.join().unwrap()
        });
        assert_eq!(written, 100_000);
    }
}
