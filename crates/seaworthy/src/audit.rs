//! A trail of who did what: one JSON line an entry, each sealed with the one before (feature `audit`).
//!
//! # Rules
//!
//! - An entry is on the disk (`fdatasync`) before the next batch is begun. A thread of its own writes: whoever has something to
//!   record never waits.
//! - Each entry has the hash of the one before it. [`verify`] finds a line that was edited, left out, put elsewhere or cut off,
//!   and says which. The end is remembered in a second file, so that a trail that was shortened does not look whole.
//! - A trail is taken up where it was left. Half a line, as a crash leaves it, goes into the first entry that follows.
//! - A disk that is full is reported and tried again; entries wait, bounded, and what was lost is an entry too.
//! - The trail is never shortened by us. Who moves it away (logrotate, without `copytruncate`) finds the chain go on in a new
//!   file of the same name.
//!
//! # In production
//!
//! Without a key, whoever may write the directory can forge both files whole: keep the hash of the last entry elsewhere, or
//! seal with [`Seal::keyed`].
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use seaworthy::audit::{Audit, Entry, Seal, Settings, verify};
//! use seaworthy::core::event::Nowhere;
//!
//! # let directory = tempfile::tempdir()?;
//! let path = directory.path().join("audit.jsonl");
//! let audit = Audit::open(Settings::new(&path, "orders"), Arc::new(Nowhere))?;
//! audit.trail().record(Entry::new("orders_exported", "all orders were exported").by("user 7"));
//! assert!(audit.close(Duration::from_secs(10)));
//!
//! let file = std::io::BufReader::new(std::fs::File::open(&path)?);
//! let verified = verify(file, &Seal::plain(), None, None)?;
//! assert_eq!((verified.entries, verified.findings.len()), (3, 0)); // opened, exported, closed
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod facts;
mod file;
mod head;
mod line;
mod seal;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::redact::Redactor;

pub use self::file::OpenError;
pub use self::head::{head_path, read_head};
pub use self::line::{Entry, Link};
pub use self::seal::{Hash, Seal};
pub use self::verify::{Finding, Problem, Verified, verify};

use self::writer::{Counts, Order, Writer};

/// So many entries may wait for the thread.
const MOST: usize = 1024;

/// Where a trail is kept, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    path: PathBuf,
    service: String,
    seal: Seal,
    redactor: Redactor,
}

impl Settings {
    /// Of the service `service`, in the file `path`.
    pub fn new(path: &Path, service: &str) -> Self {
        let (path, service) = (path.to_owned(), service.to_owned());
        Self { path, service, seal: Seal::plain(), redactor: Redactor::default() }
    }

    /// Default: [`Seal::plain`].
    #[must_use]
    pub fn seal(mut self, seal: Seal) -> Self {
        self.seal = seal;
        self
    }

    /// What is hidden. Default: what is secret everywhere.
    #[must_use]
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }
}

/// An open trail, and the thread that writes it.
#[derive(Debug)]
pub struct Audit {
    trail: Trail,
}

/// Takes entries, and facts as a [`Sink`]: stops, restarts, reloads, whatever people asked for. Clones write the same trail.
#[derive(Debug, Clone)]
pub struct Trail {
    orders: SyncSender<Order>,
    counts: Arc<Counts>,
}

/// How many entries had which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EntryCounts {
    /// On the disk. Only grows.
    pub written: u64,
    /// There was no room for them. Only grows.
    pub lost: u64,
    /// Waiting for a disk that does not take them; 0 while all is well.
    pub failing: u64,
}

impl Audit {
    /// Takes up the trail, or begins it; what goes wrong later is reported to `sink`.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the file cannot be opened, or another process writes it.
    pub fn open(settings: Settings, sink: Arc<dyn Sink>) -> Result<Self, OpenError> {
        let Settings { path, service, seal, redactor } = settings;
        let (trail, found) = file::Trail::open(&path, &seal)?;
        let last = trail.last();
        sink.emit(&Event::AuditOpened {
            path: path.display().to_string(),
            entry: i64::try_from(last.number).unwrap_or(i64::MAX),
            hash: last.hash.to_string(),
        });
        let counts = Arc::<Counts>::default();
        let (send, orders) = sync_channel(MOST);
        let writer = Writer {
            trail,
            seal,
            service,
            redactor,
            orders,
            counts: counts.clone(),
            sink,
            waiting: Vec::new(),
            confessed: 0,
            broken: false,
        };
        let thread = std::thread::Builder::new().name("audit".to_owned());
        thread.spawn(move || writer.run(found)).map_err(OpenError::Thread)?;
        Ok(Self { trail: Trail { orders: send, counts } })
    }

    /// For whoever has something to record.
    pub fn trail(&self) -> Trail {
        self.trail.clone()
    }

    /// Writes what is there and closes the trail, for `patience` at most. Says whether all was written in time. Blocks.
    pub fn close(self, patience: Duration) -> bool {
        let (done, closed) = sync_channel(1);
        // A full channel is a disk that takes nothing: then there is nothing to wait for.
        let asked = self.trail.orders.try_send(Order::Close(done)).is_ok();
        asked && closed.recv_timeout(patience).is_ok() && self.trail.counts().failing == 0
    }
}

impl Trail {
    /// Records an entry; never waits.
    pub fn record(&self, entry: Entry) {
        if self.orders.try_send(Order::Write(entry)).is_err() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hides other things from the next entry on.
    pub fn redact(&self, redactor: Redactor) {
        // A channel that is full belongs to a disk that takes nothing: then nothing is shown either.
        let _ = self.orders.try_send(Order::Redact(redactor));
    }

    /// What became of entries.
    pub fn counts(&self) -> EntryCounts {
        EntryCounts {
            written: self.counts.written.load(Ordering::Relaxed),
            lost: self.counts.lost.load(Ordering::Relaxed),
            failing: self.counts.failing.load(Ordering::Relaxed),
        }
    }
}

impl Sink for Trail {
    fn emit(&self, event: &Event) {
        if let Some(entry) = facts::entry(event) {
            self.record(entry);
        }
    }
}
