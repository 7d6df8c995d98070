//! The thread that writes a trail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::redact::Redactor;

use super::file::{Found, Trail};
use super::line::{self, Entry};
use super::seal::Seal;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    Write(Entry),
    /// Hide this from now on.
    Redact(Redactor),
    /// Write what came before, say so, and end.
    Close(SyncSender<()>),
}

/// What became of entries.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    /// There was no room for them.
    pub(super) lost: AtomicU64,
    /// The disk did not take them, and they wait.
    pub(super) failing: AtomicU64,
}

/// How long to wait before the disk is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// So many entries are written at once, and wait at most where they cannot be.
const BATCH: usize = 256;

pub(super) struct Writer {
    pub(super) trail: Trail,
    pub(super) seal: Seal,
    pub(super) service: String,
    pub(super) redactor: Redactor,
    pub(super) orders: Receiver<Order>,
    pub(super) counts: Arc<Counts>,
    pub(super) sink: Arc<dyn Sink>,
    /// What was not written yet, oldest first.
    pub(super) waiting: Vec<Entry>,
    /// How many losses stand in the trail.
    pub(super) confessed: u64,
    pub(super) broken: bool,
}

impl Writer {
    pub(super) fn run(mut self, found: Found) {
        let mut opened = Entry::new("trail_opened", "the audit trail goes on here")
            .detail("pid", std::process::id())
            .detail("version", env!("CARGO_PKG_VERSION"));
        if let Some(torn) = found.torn {
            opened = opened.detail("torn_line", torn);
        }
        if let Some(damage) = found.damage {
            self.sink.emit(&Event::AuditDamaged { path: self.path(), problem: damage.clone() });
            opened = opened.detail("damage", damage);
        }
        self.waiting.push(opened);
        self.write();
        let mut closing = None;
        while closing.is_none() {
            let order = if self.waiting.is_empty() {
                self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.orders.recv_timeout(PAUSE)
            };
            match order {
                Ok(order) => closing = self.take(order),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody is left who could tell us anything.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // What is there beside it is written at once: one wait for the disk for all of them.
            while closing.is_none() && self.waiting.len() < BATCH {
                let Ok(order) = self.orders.try_recv() else { break };
                closing = self.take(order);
            }
            self.write();
        }
        self.waiting.push(Entry::new("trail_closed", "the audit trail was closed in order"));
        self.write();
        if let Some(done) = closing {
            // Whoever asked may have been out of patience.
            let _ = done.send(());
        }
    }

    fn take(&mut self, order: Order) -> Option<SyncSender<()>> {
        match order {
            Order::Write(entry) if self.waiting.len() < BATCH => self.waiting.push(entry),
            Order::Write(_) => {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
            Order::Redact(redactor) => self.redactor = redactor,
            Order::Close(done) => return Some(done),
        }
        None
    }

    fn path(&self) -> String {
        self.trail.path().display().to_string()
    }

    /// Writes what waits, if that can be done.
    fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if let Err(reason) = self.try_write() {
            self.counts.failing.store(self.waiting.len() as u64, Ordering::Relaxed);
            if !std::mem::replace(&mut self.broken, true) {
                self.sink.emit(&Event::AuditFailed { path: self.path(), reason });
            }
            return;
        }
        self.counts.written.fetch_add(self.waiting.len() as u64, Ordering::Relaxed);
        self.counts.failing.store(0, Ordering::Relaxed);
        self.waiting.clear();
        if std::mem::take(&mut self.broken) {
            let lost = u32::try_from(self.counts.lost.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
            self.sink.emit(&Event::AuditResumed { path: self.path(), lost });
        }
    }

    fn try_write(&mut self) -> Result<(), String> {
        if !self.trail.is_current() {
            self.trail.reopen(&self.seal).map_err(|error| error.to_string())?;
            self.waiting.insert(0, Entry::new("trail_continued", "the file before this one was moved away"));
        }
        let lost = self.counts.lost.load(Ordering::Relaxed);
        let confession = (lost > self.confessed).then(|| {
            Entry::new("entries_lost", "entries came faster than they could be written")
                .detail("entries", lost - self.confessed)
        });
        let (mut lines, mut link) = (Vec::new(), self.trail.last());
        for entry in self.waiting.iter().chain(&confession) {
            link = line::write(&mut lines, entry, &self.service, &self.redactor, link, &self.seal);
        }
        self.trail.append(&lines, link).map_err(|error| error.to_string())?;
        self.confessed = lost;
        Ok(())
    }
}
