//! The lines of one worker: encoded on its thread into a buffer that nobody else touches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use seaworthy_core::event::{Level, RequestFinished};

use super::encoder::Encoder;
use super::ring::{CHUNK, Chunk};
use super::{Logger, Settings, Shared, access, lock};

/// Buffers that go round between a worker and the writer.
const BUFFERS: usize = 8;

/// The buffer of one worker, for servers that give each of their threads its own and call [`WorkerLog::tick`] every
/// fraction of a second. Elsewhere there is [`Logger::observer`].
#[derive(Debug)]
pub struct WorkerLog {
    shared: Arc<Shared>,
    /// The log goes on for as long as there is a worker that keeps it.
    _keeps: Option<Logger>,
    encoder: Encoder,
    settings: Arc<Settings>,
    generation: u64,
    /// As of the last tick: a clock and a lock less a request.
    level: Level,
    buffer: Vec<u8>,
    lines: u64,
    home: SyncSender<Vec<u8>>,
    returned: Receiver<Vec<u8>>,
}

impl WorkerLog {
    pub(super) fn new(shared: Arc<Shared>, keeps: Option<Logger>) -> Self {
        let (home, returned) = sync_channel(BUFFERS);
        let settings = lock(&shared.settings).clone();
        Self {
            encoder: shared.model.clone(),
            settings,
            generation: shared.generation.load(Ordering::Acquire),
            level: shared.level(),
            buffer: Vec::new(),
            lines: 0,
            home,
            returned,
            shared,
            _keeps: keeps,
        }
    }

    /// Adds the line of a request, if it leaves one.
    pub fn access(&mut self, request: &RequestFinished<'_>) {
        if !self.settings.access || access::level(request) < self.level || !access::is_worth_a_line(request) {
            return;
        }
        self.encoder.access(&mut self.buffer, request, &self.settings);
        self.lines += 1;
        // Whoever watches wants it beside what the program prints, and is served no faster than one can read.
        if self.buffer.len() >= CHUNK || self.encoder.is_pretty() {
            self.hand_over();
        }
    }

    /// Follows what was changed, and hands over what there is.
    pub fn tick(&mut self) {
        self.level = self.shared.level();
        if self.shared.generation.load(Ordering::Acquire) != self.generation {
            self.reload();
        }
        self.hand_over();
    }

    /// Takes the settings that are in force now.
    pub fn reload(&mut self) {
        self.generation = self.shared.generation.load(Ordering::Acquire);
        self.settings = lock(&self.shared.settings).clone();
        self.level = self.shared.level();
    }

    /// Whether there are lines that were not handed over.
    pub(super) fn is_waiting(&self) -> bool {
        !self.buffer.is_empty()
    }

    fn hand_over(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let next = self.returned.try_recv().unwrap_or_default();
        let bytes = std::mem::replace(&mut self.buffer, next);
        let chunk = Chunk { bytes, lines: std::mem::take(&mut self.lines), home: Some(self.home.clone()) };
        if let Err(mut refused) = self.shared.ring.push(chunk) {
            refused.clear();
            self.buffer = refused;
        }
    }
}

/// A worker that ends keeps nothing back.
impl Drop for WorkerLog {
    fn drop(&mut self) {
        self.hand_over();
    }
}
