//! Encoded spans that wait for the exporter: bounded in number and in bytes.
//!
//! The lock is held to move pointers, never to encode or to send; a worker takes it once for some hundred spans.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

/// Some whole spans, encoded one after the other.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) spans: u32,
}

/// Who keeps spans back, and hands them over when asked to.
pub(super) trait Source: Send + Sync {
    fn flush(&self);
}

/// What waits.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    most_spans: u32,
    most_bytes: usize,
    /// Something came, or nothing will come any more.
    pub(super) changed: Notify,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    spans: u32,
    bytes: usize,
    closed: bool,
    sources: Vec<Weak<dyn Source>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("spans", &self.spans).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) spans: u32,
    pub(super) bytes: usize,
    pub(super) closed: bool,
}

impl Queue {
    pub(super) fn new(most_spans: u32, most_bytes: usize) -> Self {
        Self { state: Mutex::default(), most_spans, most_bytes, changed: Notify::new(), dropped: AtomicU64::new(0) }
    }

    /// Takes a chunk, or drops and counts it.
    pub(super) fn push(&self, chunk: Chunk) {
        let mut state = self.lock();
        let full = state.spans.saturating_add(chunk.spans) > self.most_spans
            || state.bytes.saturating_add(chunk.bytes.len()) > self.most_bytes;
        if full || state.closed {
            drop(state);
            return self.lost(chunk.spans);
        }
        state.spans += chunk.spans;
        state.bytes += chunk.bytes.len();
        state.chunks.push_back(chunk);
        drop(state);
        self.changed.notify_one();
    }

    /// Something is kept back that will be there when it is asked for.
    pub(super) fn announce(&self) {
        self.changed.notify_one();
    }

    /// Asks `source` before each batch for as long as it lives.
    pub(super) fn collect_from(&self, source: Weak<dyn Source>) {
        self.lock().sources.push(source);
    }

    /// Has everybody hand over what they keep back.
    pub(super) fn collect(&self) {
        let sources: Vec<Arc<dyn Source>> = {
            let mut state = self.lock();
            state.sources.retain(|source| source.strong_count() > 0);
            state.sources.iter().filter_map(Weak::upgrade).collect()
        };
        // Without the lock, which they take.
        for source in sources {
            source.flush();
        }
    }

    /// Takes chunks of `most` spans at most, but one at least if there is one.
    pub(super) fn take(&self, most: u32) -> Vec<Chunk> {
        let mut state = self.lock();
        let (mut taken, mut spans) = (Vec::new(), 0);
        while let Some(chunk) = state.chunks.front() {
            if !taken.is_empty() && spans + chunk.spans > most {
                break;
            }
            spans += chunk.spans;
            taken.extend(state.chunks.pop_front());
        }
        state.spans -= spans;
        state.bytes -= taken.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        taken
    }

    pub(super) fn fill(&self) -> Fill {
        let state = self.lock();
        Fill { spans: state.spans, bytes: state.bytes, closed: state.closed }
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.collect();
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Counts spans that nobody will see.
    pub(super) fn lost(&self, spans: u32) {
        self.dropped.fetch_add(u64::from(spans), Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(spans: u32, bytes: usize) -> Chunk {
        Chunk { bytes: vec![0; bytes], spans }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_by_number_and_by_bytes() {
        let queue = Queue::new(10, 1000);
        queue.push(chunk(6, 100));
        queue.push(chunk(5, 100));
        queue.push(chunk(2, 901));
        assert_eq!(queue.dropped(), 7);
        queue.push(chunk(4, 900));
        assert_eq!(queue.fill(), Fill { spans: 10, bytes: 1000, closed: false });
    }

    #[test]
    fn a_batch_has_as_many_spans_as_allowed_but_never_none() {
        let queue = Queue::new(100, 10_000);
        for spans in [30, 3, 3, 3] {
            queue.push(chunk(spans, 10));
        }
        let taken = |most| queue.take(most).iter().map(|chunk| chunk.spans).collect::<Vec<_>>();
        assert_eq!([taken(8), taken(8), taken(8), taken(8)], [vec![30], vec![3, 3], vec![3], vec![]]);
        assert_eq!(queue.fill(), Fill { spans: 0, bytes: 0, closed: false });
    }

    #[test]
    fn nothing_is_taken_after_the_end() {
        let queue = Queue::new(100, 10_000);
        queue.close();
        queue.push(chunk(1, 1));
        assert_eq!((queue.dropped(), queue.fill().spans), (1, 0));
    }
}
