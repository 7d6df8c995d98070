//! `disk`: there is room where the service writes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::probe::{Failure, Probe, Report, Running};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub path: PathBuf,
    /// Fewer free bytes are a failure.
    pub min_free: Option<u64>,
    /// More in use, of bytes or of inodes, is a warning. In percent.
    pub warn_percent: u8,
    /// Whether to write a file there as well.
    pub write_test: bool,
}

/// Looks from a thread of its own: a network file system that is gone blocks whoever asks, and may do so for ever. Then no
/// further thread is given to it.
#[derive(Debug)]
pub(super) struct Disk {
    settings: Settings,
    looking: Option<JoinHandle<Result<Space, Failure>>>,
}

/// What is free, for users without privileges, and what there is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Space {
    free: u64,
    total: u64,
    inodes_free: u64,
    inodes: u64,
}

impl Disk {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, looking: None }
    }

    async fn ask(&mut self) -> Result<Report, Failure> {
        let settings = self.settings.clone();
        let look = || tokio::task::spawn_blocking(move || settings.look());
        // It stays here while it is awaited: a run that is cut short finds it again.
        let looking = self.looking.get_or_insert_with(look);
        let looked = looking.await;
        self.looking = None;
        let space = looked.map_err(|error| Failure::protocol(format!("it could not be looked at: {error}")))??;
        self.settings.judge(space)
    }
}

impl Settings {
    fn look(&self) -> Result<Space, Failure> {
        let failed = |error: io::Error| Failure::refused(format!("{}: {error}", self.path.display()));
        let found = rustix::fs::statvfs(&self.path).map_err(|error| failed(error.into()))?;
        if self.write_test {
            written(&self.path).map_err(failed)?;
        }
        Ok(Space {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
            inodes_free: found.f_favail,
            inodes: found.f_files,
        })
    }

    fn judge(&self, space: Space) -> Result<Report, Failure> {
        let Space { free, total, inodes_free, inodes } = space;
        if let Some(least) = self.min_free.filter(|least| free < *least) {
            return Err(Failure::condition(format!("{free} bytes are free, fewer than {least}")));
        }
        if inodes > 0 && inodes_free == 0 {
            return Err(Failure::condition("no inode is free: no file can be made"));
        }
        let mut report = Report::default()
            .measure("health_disk_free_bytes", free as f64)
            .measure("health_disk_total_bytes", total as f64)
            .measure("health_disk_free_inodes", inodes_free as f64);
        let mut full = |what: &str, free: u64, total: u64| {
            // Some file systems have no fixed number of inodes and say 0.
            let used = if total == 0 { 0.0 } else { 100.0 - free as f64 / total as f64 * 100.0 };
            if used > f64::from(self.warn_percent) {
                report.warn(format!("{used:.0}% of its {what} are in use"));
            }
        };
        full("bytes", free, total);
        full("inodes", inodes_free, inodes);
        Ok(report)
    }
}

/// Writes a file and takes it away again.
fn written(directory: &Path) -> io::Result<()> {
    use std::io::Write;
    let path = directory.join(format!(".seaworthy-write-test-{}", std::process::id()));
    let outcome = std::fs::File::create(&path).and_then(|mut file| {
        file.write_all(b"written by a check")?;
        // Without it a full disk may not be noticed.
        file.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    outcome.and(removed)
}

impl Probe for Disk {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { path: "/".into(), min_free: Some(100), warn_percent: 90, write_test: false }
    }

    #[test]
    fn too_little_room_fails_and_little_room_warns() {
        let space = Space { free: 500, total: 1000, inodes_free: 50, inodes: 100 };
        assert_eq!(settings().judge(space).unwrap().warning, None);
        let full = settings().judge(Space { free: 99, ..space }).unwrap_err();
        assert_eq!(full.message, "99 bytes are free, fewer than 100");
        let warned = settings().judge(Space { inodes_free: 5, free: 100, total: 1001, ..space }).unwrap().warning;
        assert_eq!(warned.as_deref(), Some("90% of its bytes are in use; 95% of its inodes are in use"));
        let without_inodes = Space { inodes: 0, inodes_free: 0, ..space };
        assert_eq!(settings().judge(without_inodes).unwrap().warning, None);
    }

    #[tokio::test]
    async fn a_real_directory_is_looked_at_and_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings { path: directory.path().to_owned(), min_free: None, write_test: true, ..settings() };
        let report = Disk::new(settings.clone()).ask().await.unwrap();
        assert!(report.measures.iter().any(|measure| measure.name == "health_disk_total_bytes" && measure.value > 0.0));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
        let gone = Settings { path: directory.path().join("gone"), ..settings };
        assert_eq!(Disk::new(gone).ask().await.unwrap_err().class, seaworthy_core::health::Class::Refused);
    }
}
