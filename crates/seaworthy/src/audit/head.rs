//! The last entry, remembered beside the trail: without it, a trail whose last lines were cut off looks whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::line::Link;
use super::seal::Hash;

/// Twenty digits, a space, the hash, a newline: always as long, so that it is written over in one piece.
const LENGTH: usize = 20 + 1 + Hash::LENGTH + 1;

/// `audit.jsonl.head` beside `audit.jsonl`.
#[must_use]
pub fn head_path(trail: &Path) -> PathBuf {
    let mut path = trail.as_os_str().to_owned();
    path.push(".head");
    path.into()
}

/// What the file at `path` remembers; `None` if there is none, or nothing in it.
///
/// # Errors
///
/// If it cannot be read, or holds something else.
pub fn read_head(path: &Path) -> io::Result<Option<Link>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(LENGTH as u64 + 1).read_to_string(&mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    let link = text
        .trim_end()
        .split_once(' ')
        .and_then(|(number, hash)| Some(Link { number: number.parse().ok()?, hash: Hash::read(hash.as_bytes())? }));
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "is no head of a trail");
    link.map(Some).ok_or_else(broken)
}

/// Remembers the last entry.
#[derive(Debug)]
pub(super) struct Head(File);

impl Head {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(Self)
    }

    pub(super) fn remember(&self, link: Link) -> io::Result<()> {
        self.0.write_all_at(format!("{:020} {}\n", link.number, link.hash).as_bytes(), 0)?;
        self.0.sync_data()
    }
}
