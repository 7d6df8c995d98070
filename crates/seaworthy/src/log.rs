//! Log lines: from facts to bytes on stdout.
//!
//! # Rules
//!
//! - Nothing that serves a request ever waits for stdout. A thread writes its lines into a buffer of its own, which goes
//!   to one writer thread; while stdout is stuck, lines are counted instead of kept.
//! - One fact is one line. Control characters are escaped, wherever they come from: no input forges a line.
//! - Stdout is shared with others, so it is left blocking, and its being closed ends nothing.
//! - Secrets go by name: see [`redact`](crate::core::redact).
//!
//! ```text
//! thread ── buffer ──┐
//! thread ── buffer ──┼─▶ ring (bounded) ─▶ writer thread ─▶ stdout
//! events ────────────┘
//! ```
//!
//! # Example
//!
//! ```
//! use seaworthy::core::event::{Event, Sink};
//! use seaworthy::log::Logger;
//!
//! let logger = Logger::builder("shop").version("1.4.2").start()?;
//! logger.emit(&Event::Notice { text: "open for business".to_owned() });
//! # Ok::<(), std::io::Error>(())
//! ```

mod access;
mod clock;
mod encoder;
#[doc(hidden)]
pub mod escape;
mod event;
mod json;
mod level;
mod pretty;
mod ring;
#[cfg(test)]
mod tests;
mod threads;
#[cfg(feature = "tracing")]
pub mod tracing;
mod worker;
mod writer;

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use seaworthy_core::event::{Event, Level, Sink};
use seaworthy_core::redact::Redactor;

#[doc(hidden)]
pub use encoder::{Beginning, Encoder};
#[doc(hidden)]
pub use json::{Frame, Line};
#[doc(hidden)]
pub use pretty::{Style, Tone};
pub use threads::LogObserver;
#[doc(hidden)]
pub use worker::WorkerLog;

use level::Threshold;
use ring::Ring;
use threads::Threads;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// Aligned, for people.
    Pretty,
}

/// What may be changed while running.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Whether each request leaves a line. On by default.
    pub access: bool,
    /// Whether that line shows the query, redacted. Off by default.
    pub query: bool,
    /// Knows which names are secret.
    pub redactor: Redactor,
}

impl Default for Settings {
    fn default() -> Self {
        Self { access: true, query: false, redactor: Redactor::default() }
    }
}

/// The log of a process. Clones share it. It ends, and its writer thread with it, when the last of them is dropped and
/// everything is written.
#[derive(Debug, Clone)]
pub struct Logger(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
}

/// What buffers need too. It does not keep the log open.
#[derive(Debug)]
struct Shared {
    ring: Arc<Ring>,
    threshold: Threshold,
    /// What may be changed; `generation` tells buffers that it was.
    settings: Mutex<Arc<Settings>>,
    generation: AtomicU64,
    /// For lines that are not a worker's.
    scratch: Mutex<Scratch>,
    model: Encoder,
}

impl Shared {
    fn level(&self) -> Level {
        self.threshold.at(Instant::now())
    }
}

/// An encoder and the line it works on.
#[derive(Debug)]
struct Scratch {
    encoder: Encoder,
    line: Vec<u8>,
}

/// Makes a [`Logger`].
#[derive(Debug)]
#[must_use = "nothing is written before `start`"]
pub struct Builder {
    service: String,
    version: Option<String>,
    level: Option<Level>,
    format: Option<Format>,
    colour: Option<bool>,
    settings: Settings,
    output: Option<File>,
}

impl Builder {
    /// The version of the service, in each line. None by default.
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// The least level that is written. By default what `LOG_LEVEL` says, else `info`.
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// By default pretty on a terminal, else JSON.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Whether pretty lines are coloured. By default on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    pub fn colour(mut self, colour: bool) -> Self {
        self.colour = Some(colour);
        self
    }

    /// What may be changed while running.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Where lines go; stdout by default.
    pub fn output(mut self, output: File) -> Self {
        self.output = Some(output);
        self
    }

    /// Starts the writer thread.
    ///
    /// # Errors
    ///
    /// If stdout is closed, `LOG_LEVEL` is no level, or no thread can be had.
    pub fn start(self) -> io::Result<Logger> {
        let Self { service, version, level, format, colour, settings, output } = self;
        let level = level.map_or_else(level_of_environment, Ok)?;
        let output = output.map_or_else(stdout, Ok)?;
        let terminal = output.is_terminal();
        let format = format.unwrap_or(if terminal { Format::Pretty } else { Format::Json });
        let no_colour = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = colour.unwrap_or_else(|| terminal && !no_colour());
        let model = Encoder::new(&service, version.as_deref(), format, colour);
        let ring = Arc::new(Ring::default());
        let writer = writer::Writer::new(ring.clone(), OwnedFd::from(output), model.clone());
        std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || writer.run())?;
        let shared = Arc::new(Shared {
            ring,
            threshold: Threshold::new(level),
            settings: Mutex::new(Arc::new(settings)),
            generation: AtomicU64::new(0),
            scratch: Mutex::new(Scratch { encoder: model.clone(), line: Vec::new() }),
            model,
        });
        Ok(Logger(Arc::new(Handle { shared, threads: Arc::default() })))
    }
}

fn level_of_environment() -> io::Result<Level> {
    match std::env::var("LOG_LEVEL") {
        Ok(text) if !text.is_empty() => {
            text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("LOG_LEVEL: {error}")))
        }
        _ => Ok(Level::Info),
    }
}

/// Our stdout as a file: std's own handle flushes every line, behind a lock.
#[doc(hidden)]
pub fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

impl Logger {
    /// A log of `service` on stdout, unless more is said.
    pub fn builder(service: &str) -> Builder {
        let (version, level, format, colour, output) = (None, None, None, None, None);
        Builder { service: service.to_owned(), version, level, format, colour, settings: Settings::default(), output }
    }

    /// Changes what may be changed. Buffers follow within a fraction of a second.
    pub fn configure(&self, level: Level, settings: Settings) {
        let shared = &self.0.shared;
        *lock(&shared.settings) = Arc::new(settings);
        shared.threshold.set_base(level);
        shared.generation.fetch_add(1, Ordering::Release);
    }

    /// Writes what matters as much as `level` from now on, or for a while.
    pub fn set_level(&self, level: Level, expiry: Option<Duration>) {
        self.0.shared.threshold.set(level, expiry.map(|expiry| Instant::now() + expiry));
    }

    /// What matters less is not written.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.shared.level()
    }

    /// When the level of before comes back, where another one stands in for a while.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.0.shared.threshold.left(Instant::now())
    }

    /// How many lines could not be written since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.shared.ring.dropped()
    }

    /// The buffer of one worker.
    #[must_use]
    #[doc(hidden)]
    pub fn worker(&self) -> WorkerLog {
        WorkerLog::new(self.0.shared.clone(), Some(self.clone()))
    }

    /// Writes a line for each request, from any thread.
    ///
    /// # Errors
    ///
    /// If the thread that collects the lines cannot be had; it is started with the first observer.
    pub fn observer(&self) -> io::Result<LogObserver> {
        LogObserver::new(self)
    }

    /// Waits until everything said so far is written, at most until `deadline`. Says whether it is.
    #[must_use]
    pub fn flush(&self, deadline: Instant) -> bool {
        self.0.threads.collect();
        self.0.shared.ring.wait_until_empty(deadline)
    }

    /// Writes a line of another kind; `encode` appends it, with its line feed.
    #[doc(hidden)]
    pub fn write(&self, encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) {
        let mut scratch = lock(&self.0.shared.scratch);
        let Scratch { encoder, line } = &mut *scratch;
        line.clear();
        encode(encoder, line);
        self.0.shared.ring.append(line);
    }

    /// Completes when lines are taken again without a loss.
    #[doc(hidden)]
    pub async fn room(&self) {
        self.0.shared.ring.room().await;
    }

    /// What is in force now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        lock(&self.0.shared.settings).clone()
    }
}

impl Sink for Logger {
    fn emit(&self, event: &Event) {
        if event.level() < self.level() {
            return;
        }
        let settings = self.settings();
        self.write(|encoder, out| encoder.event(out, event, &settings.redactor, SystemTime::now()));
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.threads.collect();
        self.threads.close();
        self.shared.ring.close();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
