//! The lines of one worker: encoded on its thread into a buffer that nobody else touches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;

use seaworthy::core::event::{Level, RequestFinished};

use super::ring::{CHUNK, Chunk};
use super::{Encoder, Logger, Settings, access};

/// Buffers that go round between a worker and the writer.
const BUFFERS: usize = 4;

/// The buffer of one worker.
#[derive(Debug)]
pub(crate) struct WorkerLog {
    logger: Logger,
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
    pub(super) fn new(logger: Logger) -> Self {
        let (home, returned) = sync_channel(BUFFERS);
        let settings = logger.lock_settings().clone();
        Self {
            encoder: logger.0.model.clone(),
            settings,
            generation: logger.0.generation.load(Ordering::Acquire),
            level: logger.level(),
            buffer: Vec::new(),
            lines: 0,
            home,
            returned,
            logger,
        }
    }

    /// Adds the line of a request, if it leaves one.
    pub(crate) fn access(&mut self, request: &RequestFinished<'_>) {
        if !self.settings.access || access::level(request) < self.level || !access::is_worth_a_line(request) {
            return;
        }
        self.encoder.access(&mut self.buffer, request, &self.settings, SystemTime::now());
        self.lines += 1;
        // Whoever watches wants it beside what the program prints, and is served no faster than one can read.
        if self.buffer.len() >= CHUNK || self.encoder.is_pretty() {
            self.hand_over();
        }
    }

    /// Follows what was changed, and hands over what there is.
    pub(crate) fn tick(&mut self) {
        self.level = self.logger.level();
        if self.logger.0.generation.load(Ordering::Acquire) != self.generation {
            self.reload();
        }
        self.hand_over();
    }

    /// Takes the settings that are in force now.
    pub(crate) fn reload(&mut self) {
        self.generation = self.logger.0.generation.load(Ordering::Acquire);
        self.settings = self.logger.lock_settings().clone();
        self.level = self.logger.level();
    }

    fn hand_over(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let next = self.returned.try_recv().unwrap_or_default();
        let bytes = std::mem::replace(&mut self.buffer, next);
        let chunk = Chunk { bytes, lines: std::mem::take(&mut self.lines), home: Some(self.home.clone()) };
        if let Err(mut refused) = self.logger.0.ring.push(chunk) {
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
