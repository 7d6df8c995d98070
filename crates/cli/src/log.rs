//! Log lines: from facts to bytes on stdout.
//!
//! # Rules
//!
//! - Nothing that serves a request ever waits for stdout. A worker writes its lines into a buffer of its own and hands it
//!   to one writer thread, by the tick or when it is full; while stdout is stuck, lines are counted instead of kept.
//! - One fact is one line. Control characters are escaped, wherever they come from: no input forges a line.
//! - Stdout is shared with others, so it is left blocking, and its being closed ends nothing.
//!
//! ```text
//! worker ── buffer ──┐
//! worker ── buffer ──┼─▶ ring (bounded) ─▶ writer thread ─▶ stdout
//! events, output  ───┘
//! ```

mod access;
mod clock;
mod escape;
mod event;
mod json;
mod level;
mod output;
mod pretty;
mod ring;
mod setup;
#[cfg(test)]
mod tests;
mod worker;
mod writer;

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use seaworthy::core::event::{Event, Level, Sink};

pub(crate) use self::setup::{Encoder, LogSetup, Settings, stdout};
pub(crate) use self::worker::WorkerLog;

use self::level::Threshold;
use self::ring::Ring;
use crate::config::{Log, OnFull};
use crate::supervise::{Lines, OutputLine};

/// The log of the process. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Logger(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: Arc<Ring>,
    threshold: Threshold,
    /// What a reload changes; `generation` tells workers that it did.
    settings: Mutex<Arc<Settings>>,
    generation: AtomicU64,
    /// For lines that are not a worker's.
    encoder: Mutex<Scratch>,
    model: Encoder,
    on_full: OnFull,
}

/// An encoder and the line it works on.
#[derive(Debug)]
struct Scratch {
    encoder: Encoder,
    line: Vec<u8>,
}

impl Logger {
    /// Starts the writer thread. It ends when the last clone is dropped and everything is written.
    pub(crate) fn start(setup: LogSetup) -> std::io::Result<Self> {
        let LogSetup { service, version, log, colour, output } = setup;
        let encoder = Encoder::new(&service, version.as_deref(), log.format, colour);
        let ring = Arc::new(Ring::default());
        let writer = writer::Writer::new(ring.clone(), OwnedFd::from(output), encoder.clone());
        std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || writer.run())?;
        Ok(Self(Arc::new(Shared {
            ring,
            threshold: Threshold::new(level::of(log.level)),
            settings: Mutex::new(Arc::new(Settings::of(&log))),
            generation: AtomicU64::new(0),
            encoder: Mutex::new(Scratch { encoder: encoder.clone(), line: Vec::new() }),
            model: encoder,
            on_full: log.on_full,
        })))
    }

    /// Puts what a reload may change in force. Workers follow with their next tick, or when they are told to.
    pub(crate) fn configure(&self, log: &Log) {
        *self.lock_settings() = Arc::new(Settings::of(log));
        self.0.threshold.set_base(level::of(log.level));
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// Writes what matters as much as `level` from now on, or for a while.
    pub(crate) fn set_level(&self, level: Level, expiry: Option<Duration>) {
        self.0.threshold.set(level, expiry.map(|expiry| Instant::now() + expiry));
    }

    /// What matters less is not written.
    pub(crate) fn level(&self) -> Level {
        self.0.threshold.at(Instant::now())
    }

    /// When the level of the configuration comes back, where another one stands in for a while.
    pub(crate) fn expires_in(&self) -> Option<Duration> {
        self.0.threshold.left(Instant::now())
    }

    /// How many lines could not be written since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.ring.dropped()
    }

    /// The buffer of one worker.
    pub(crate) fn worker(&self) -> WorkerLog {
        WorkerLog::new(self.clone())
    }

    /// Waits until everything handed over so far is written, at most until `deadline`. Says whether it is.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        self.0.ring.wait_until_empty(deadline)
    }

    fn write(&self, encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) {
        let mut scratch = self.0.encoder.lock().unwrap_or_else(PoisonError::into_inner);
        let Scratch { encoder, line } = &mut *scratch;
        line.clear();
        encode(encoder, line);
        self.0.ring.append(line);
    }

    fn lock_settings(&self) -> MutexGuard<'_, Arc<Settings>> {
        self.0.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Logger {
    fn emit(&self, event: &Event) {
        if event.level() < self.level() {
            return;
        }
        let settings = self.lock_settings().clone();
        self.write(|encoder, out| encoder.event(out, event, &settings.redactor, SystemTime::now()));
    }
}

/// What the program prints.
impl Lines for Logger {
    fn line(&self, line: OutputLine<'_>) {
        self.write(|encoder, out| encoder.output(out, &line, SystemTime::now()));
    }

    /// With `log.on-full = "block"` the program waits for stdout, and none of its lines is lost.
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        match self.0.on_full {
            OnFull::Drop => Box::pin(std::future::ready(())),
            OnFull::Block => Box::pin(self.0.ring.room()),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ring.close();
    }
}

/// Hands each fact to several sinks, in order.
pub(crate) struct Fanout(Vec<Arc<dyn Sink>>);

impl Fanout {
    pub(crate) fn new(sinks: impl IntoIterator<Item = Arc<dyn Sink>>) -> Self {
        Self(sinks.into_iter().collect())
    }
}

impl Sink for Fanout {
    fn emit(&self, event: &Event) {
        for sink in &self.0 {
            sink.emit(event);
        }
    }
}

impl std::fmt::Debug for Fanout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fanout").field("sinks", &self.0.len()).finish()
    }
}
