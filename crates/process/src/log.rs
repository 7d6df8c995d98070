//! The log of the binary: that of the library, and the lines that the program prints.

mod output;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use seaworthy::core::event::{Event, Level, Sink};
use seaworthy::core::redact::Redactor;
use seaworthy::log::{Format, Settings};

pub(crate) use seaworthy::log::{WorkerLog, stdout};

use crate::config::{Log, LogFormat, OnFull};
use crate::supervise::{Lines, OutputLine};

/// What a log is made of.
#[derive(Debug)]
pub(crate) struct LogSetup {
    pub(crate) service: String,
    /// The version of the program, if anybody said it.
    pub(crate) version: Option<String>,
    pub(crate) log: Log,
    /// Whether pretty lines may be coloured.
    pub(crate) colour: bool,
    /// Where lines go; see [`stdout`].
    pub(crate) output: File,
}

/// The log of the process. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Logger {
    log: seaworthy::log::Logger,
    on_full: OnFull,
}

impl Logger {
    /// Starts the writer thread. It ends when the last clone is dropped and everything is written.
    pub(crate) fn start(setup: LogSetup) -> std::io::Result<Self> {
        let LogSetup { service, version, log, colour, output } = setup;
        let format = match log.format {
            LogFormat::Json => Format::Json,
            LogFormat::Pretty => Format::Pretty,
        };
        let mut builder = seaworthy::log::Logger::builder(&service)
            .level(level(log.level))
            .format(format)
            .colour(colour)
            .settings(settings(&log))
            .output(output);
        if let Some(version) = &version {
            builder = builder.version(version);
        }
        Ok(Self { log: builder.start()?, on_full: log.on_full })
    }

    /// Puts what a reload may change in force. Workers follow with their next tick, or when they are told to.
    pub(crate) fn configure(&self, log: &Log) {
        self.log.configure(level(log.level), settings(log));
    }

    /// Writes what matters as much as `level` from now on, or for a while.
    pub(crate) fn set_level(&self, level: Level, expiry: Option<Duration>) {
        self.log.set_level(level, expiry);
    }

    /// What matters less is not written.
    pub(crate) fn level(&self) -> Level {
        self.log.level()
    }

    /// When the level of the configuration comes back, where another one stands in for a while.
    pub(crate) fn expires_in(&self) -> Option<Duration> {
        self.log.expires_in()
    }

    /// How many lines could not be written since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.log.dropped()
    }

    /// The buffer of one worker.
    pub(crate) fn worker(&self) -> WorkerLog {
        self.log.worker()
    }

    /// Waits until everything handed over so far is written, at most until `deadline`. Says whether it is.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        self.log.flush(deadline)
    }
}

/// The level of the configuration as the rest of the house knows it.
fn level(level: crate::config::Level) -> Level {
    use crate::config::Level as Configured;
    match level {
        Configured::Trace => Level::Trace,
        Configured::Debug => Level::Debug,
        Configured::Info => Level::Info,
        Configured::Warn => Level::Warn,
        Configured::Error => Level::Error,
    }
}

fn settings(log: &Log) -> Settings {
    let mut settings = Settings::default();
    settings.access = log.access;
    settings.query = log.query;
    settings.redactor = Redactor::new(&log.redact);
    settings
}

impl Sink for Logger {
    fn emit(&self, event: &Event) {
        self.log.emit(event);
    }
}

/// What the program prints.
impl Lines for Logger {
    fn line(&self, line: OutputLine<'_>) {
        self.log.write(|encoder, out| output::append(encoder, out, &line, SystemTime::now()));
    }

    /// With `log.on-full = "block"` the program waits for stdout, and none of its lines is lost.
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        match self.on_full {
            OnFull::Drop => Box::pin(std::future::ready(())),
            OnFull::Block => Box::pin(self.log.room()),
        }
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
