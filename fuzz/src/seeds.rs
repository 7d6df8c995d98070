//! The committed inputs of a target: one a file, under `fuzz/seeds/TARGET`.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// What a target starts from.
#[derive(Debug)]
pub(crate) struct Seeds {
    directory: PathBuf,
    pub(crate) all: Vec<Vec<u8>>,
}

impl Seeds {
    /// In the order of their names, so that a run is the same everywhere.
    pub(crate) fn of(target: &str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        let read = |file: &PathBuf| fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let all: Vec<_> = files.iter().map(read).collect();
        assert!(!all.is_empty(), "{} has no seeds", directory.display());
        Self { directory, all }
    }

    /// Keeps a finding; says where.
    pub(crate) fn keep(&self, input: &[u8]) -> String {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let file = self.directory.join(format!("found-{:016x}", hasher.finish()));
        match fs::write(&file, input) {
            Ok(()) => format!(", kept in {}", file.display()),
            Err(error) => format!(", which could not be kept in {}: {error}", file.display()),
        }
    }
}
