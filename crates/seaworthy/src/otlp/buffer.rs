//! Where spans are written: a buffer of one thread, and one that all threads of a process share out among themselves.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use seaworthy_core::event::RequestFinished;

use super::queue::{Chunk, Queue, Source};
use super::request::{self, Shown};
use crate::access::Observer;

/// A buffer is handed over when it holds this much.
const CHUNK_BYTES: usize = 32 * 1024;

/// Or so many spans, so that a small queue takes them in small parts.
const CHUNK_SPANS: u32 = 64;

/// The spans of one thread. Nobody waits for anybody until it is handed over, once for some dozen requests.
#[derive(Debug)]
pub struct SpanBuffer {
    queue: Arc<Queue>,
    /// Whether a request that went wrong is shown though its trace is not sampled.
    on_error: bool,
    shown: Shown,
    chunk: Chunk,
}

impl SpanBuffer {
    pub(super) fn new(queue: Arc<Queue>, on_error: bool, shown: Shown) -> Self {
        Self { queue, on_error, shown, chunk: Chunk::default() }
    }

    /// Takes the spans of a request that has just ended, if it has any and they are to be seen.
    pub fn request(&mut self, request: &RequestFinished<'_>) {
        if let Some(spans) = &request.span
            && (spans.sampled || (self.on_error && request::failed(request)))
        {
            self.append(|out, shown| request::encode(out, request, spans, shown));
        }
    }

    /// What of a request is shown from now on.
    pub fn show(&mut self, shown: Shown) {
        self.shown = shown;
    }

    pub(super) fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>, &Shown) -> u32) {
        if self.chunk.spans == 0 {
            self.queue.announce();
        }
        self.chunk.spans += encode(&mut self.chunk.bytes, &self.shown);
        if self.chunk.bytes.len() >= CHUNK_BYTES || self.chunk.spans >= CHUNK_SPANS {
            self.flush();
        }
    }

    /// Hands over what there is.
    pub fn flush(&mut self) {
        if self.chunk.spans > 0 {
            // As long as the last one: what comes next is about as long.
            let next = Chunk { bytes: Vec::with_capacity(self.chunk.bytes.len()), spans: 0 };
            self.queue.push(std::mem::replace(&mut self.chunk, next));
        }
    }
}

/// A thread that ends keeps nothing back.
impl Drop for SpanBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// As many buffers as threads seldom meet in.
const SHARDS: usize = 16;

/// The spans of all threads of a process. Clones share them. Each thread has a buffer that it shares with few others, and
/// whose lock is hardly ever held when it comes.
#[derive(Debug, Clone)]
pub struct Spans(Arc<Shards>);

#[derive(Debug)]
struct Shards([Mutex<SpanBuffer>; SHARDS]);

impl Spans {
    pub(super) fn new(queue: &Arc<Queue>, on_error: bool, shown: &Shown) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(SpanBuffer::new(queue.clone(), on_error, shown.clone())));
        let shards = Arc::new(Shards(shards));
        let source: Arc<dyn Source> = shards.clone();
        queue.collect_from(Arc::downgrade(&source));
        Self(shards)
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut SpanBuffer) -> T) -> T {
        act(&mut self.0.0[shard()].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    MINE.with(|mine| {
        mine.get().unwrap_or_else(|| {
            let shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
            mine.set(Some(shard));
            shard
        })
    })
}

impl Source for Shards {
    fn flush(&self) {
        for shard in &self.0 {
            shard.lock().unwrap_or_else(PoisonError::into_inner).flush();
        }
    }
}

impl Observer for Spans {
    fn finished(&self, request: &RequestFinished<'_>) {
        if request.span.is_some() {
            self.with(|buffer| buffer.request(request));
        }
    }
}
