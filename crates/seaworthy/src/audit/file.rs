//! The file of a trail: taken up where it was left, and appended to.
//!
//! # Rules
//!
//! - A last line without its end is what a crash leaves behind. It is taken off, and its text becomes part of the first entry
//!   that follows, so that nothing is lost and every line is whole.
//! - Where the file ends before the entry that its head remembers, the chain goes on after that entry: the gap stays in the
//!   file for whoever verifies it.
//! - What cannot be written whole is taken back, so that no half line is followed by another.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::head::{Head, head_path, read_head};
use super::line::{self, Link};
use super::seal::Seal;

/// No line is longer; so much is read to find the last one.
const TAIL: u64 = 1024 * 1024;

/// How long a lock that another one holds is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Locks `file`. A process that is being started holds all that its parent held until it becomes another program, so a lock that
/// was given up just now may be free only a moment later.
fn lock(file: &File) -> Result<(), TryLockError> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(10)),
            locked => return locked,
        }
    }
}

/// Why a trail cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the message shows")]
pub enum OpenError {
    /// It cannot be read or written there.
    #[error("the audit trail {path} cannot be opened: {source}", path = path.display())]
    Open { path: PathBuf, source: io::Error },
    /// Another process holds its lock.
    #[error("the audit trail {} is being written by another process: give each its own", .0.display())]
    Taken(PathBuf),
    /// The system gives no thread to write it.
    #[error("no thread for the audit trail: {0}")]
    Thread(io::Error),
}

/// An open trail.
#[derive(Debug)]
pub(super) struct Trail {
    path: PathBuf,
    file: File,
    head: Option<Head>,
    /// The last entry that is on the disk.
    last: Link,
    /// How long the file is with it. A device has no length.
    length: Option<u64>,
}

/// What was found when a trail was taken up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The beginning of a line that has no end.
    pub(super) torn: Option<String>,
    /// What somebody should look at.
    pub(super) damage: Option<String>,
}

impl Trail {
    pub(super) fn open(path: &Path, seal: &Seal) -> Result<(Self, Found), OpenError> {
        let failed = |source| OpenError::Open { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            // A pipe or a device: nothing to take up, and nothing to take back.
            let trail = Self { path: path.to_owned(), file, head: None, last: Link::START, length: None };
            return Ok((trail, Found::default()));
        }
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Taken(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let head_path = head_path(path);
        let head = Head::open(&head_path).map_err(failed)?;
        let mut trail = Self { path: path.to_owned(), file, head: Some(head), last: Link::START, length: Some(0) };
        let mut found = Found::default();
        trail.take_up(about.len(), seal, &mut found).map_err(failed)?;
        match read_head(&head_path) {
            Ok(Some(head)) if head.number > trail.last.number => {
                if about.len() > 0 {
                    let (first, last) = (trail.last.number + 1, head.number);
                    found.damage = Some(format!("entries {first} to {last} were written and are missing"));
                }
                trail.last = head;
            }
            Ok(Some(head)) if head.number == trail.last.number && head.hash != trail.last.hash => {
                found.damage = Some(format!("entry {} is not the one that was written", head.number));
                trail.last = head;
            }
            Ok(_) => {}
            Err(error) => found.damage = Some(format!("{}: {error}", head_path.display())),
        }
        Ok((trail, found))
    }

    /// Looks at the end of the file.
    fn take_up(&mut self, length: u64, seal: &Seal, found: &mut Found) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        (&self.file).take(TAIL).read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let torn = tail.split_off(whole);
        let length = length - torn.len() as u64;
        if !torn.is_empty() {
            self.file.set_len(length)?;
            found.torn = Some(String::from_utf8_lossy(&torn).into_owned());
        }
        self.length = Some(length);
        let Some(last) = tail.strip_suffix(b"\n").and_then(|tail| tail.rsplit(|byte| *byte == b'\n').next()) else {
            return Ok(());
        };
        match line::read(last, seal) {
            Some(read) => {
                self.last = read.link;
                if !read.sealed {
                    found.damage = Some(format!("the last line, entry {}, was changed", read.link.number));
                }
            }
            None => found.damage = Some("the last line is no entry".to_owned()),
        }
        Ok(())
    }

    pub(super) fn last(&self) -> Link {
        self.last
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to this file: whoever rotates logs moves it away.
    pub(super) fn is_current(&self) -> bool {
        if self.length.is_none() {
            return true;
        }
        match (std::fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(ours)) => (there.dev(), there.ino()) == (ours.dev(), ours.ino()),
            (Err(error), _) => error.kind() != io::ErrorKind::NotFound,
            (_, Err(_)) => true,
        }
    }

    /// Opens the path anew, and goes on with the chain there.
    pub(super) fn reopen(&mut self, seal: &Seal) -> Result<(), OpenError> {
        let (next, _) = Self::open(&self.path, seal)?;
        let last = self.last;
        *self = next;
        if last.number > self.last.number {
            self.last = last;
        }
        Ok(())
    }

    /// Puts lines on the disk, the last of which is `last`.
    pub(super) fn append(&mut self, lines: &[u8], last: Link) -> io::Result<()> {
        let written = self.file.write_all(lines).and_then(|()| match self.file.sync_data() {
            // A device has nothing to be synced to.
            Err(error) if self.length.is_none() && error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        });
        if let Err(error) = written {
            if let Some(length) = self.length {
                // Where not even this can be done, the rest is taken for torn at the next start.
                let _ = self.file.set_len(length);
            }
            return Err(error);
        }
        self.last = last;
        self.length = self.length.map(|length| length + lines.len() as u64);
        // The entry is safe. A head that lags behind costs nothing but the proof that nothing was cut.
        self.head.as_ref().map_or(Ok(()), |head| head.remember(last))
    }
}
