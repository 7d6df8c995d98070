//! The socket as a file: made, replaced when its owner is dead, and taken away.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use seaworthy::core::event::{Event, Sink};

use crate::config::Config;

/// A control socket that nobody serves yet. Dropping it takes the file away.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(super) listener: UnixListener,
    pub(super) file: File,
}

/// Why there can be no control socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(
        "the control socket {path} belongs to a running process{holder}: stop that, or set `control` to another path"
    )]
    Live { path: String, holder: String },
    #[error(
        "the control socket cannot be {path}: something else is there; remove it, or set `control` to another path"
    )]
    NotASocket { path: String },
    #[error(
        "the control socket {path} cannot be made: {source}; set `control` to a path that we may write to, or to \"off\""
    )]
    Other { path: String, source: io::Error },
}

/// The file of a socket. It is removed with this, unless somebody put another one in its place.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl ControlSocket {
    /// The control socket of a config. `None`, and a word to `sink`, where there can be none: a service that runs
    /// without one is worth more than one that does not run. That another process has it is an error all the same.
    pub(crate) fn of(config: &Config, sink: &dyn Sink) -> Result<Option<Self>, OpenError> {
        let Some(path) = &config.control else {
            if config.state_dir.is_none() {
                let text =
                    "no control socket: set `state-dir` or `control` to have `seaworthy status`, `drain` and the like";
                sink.emit(&Event::Notice { text: text.to_owned() });
            }
            return Ok(None);
        };
        match Self::open(path) {
            Ok(socket) => Ok(Some(socket)),
            Err(error @ OpenError::Other { .. }) => {
                sink.emit(&Event::Warning { text: error.to_string() });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the socket at `path`, and its directory where there is none. One that a dead process left is replaced.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = || path.display().to_string();
        let other = |source| OpenError::Other { path: shown(), source };
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(other)?;
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(OpenError::NotASocket { path: shown() }),
            Ok(_) => {
                if let Ok(stream) = UnixStream::connect(path) {
                    let pid = socket_peercred(&stream).ok().map(|peer| peer.pid.as_raw_nonzero());
                    let holder = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                    return Err(OpenError::Live { path: shown(), holder });
                }
                fs::remove_file(path).map_err(other)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(other(error)),
        }
        let listener = UnixListener::bind(path).map_err(other)?;
        let made = fs::symlink_metadata(path).map_err(other)?;
        let file = File { path: path.to_owned(), device: made.dev(), inode: made.ino() };
        // For a moment the file has what the umask left. The credentials of each peer are looked at as well.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(other)?;
        listener.set_nonblocking(true).map_err(other)?;
        Ok(Self { listener, file })
    }
}

impl File {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let ours = |found: &fs::Metadata| (found.dev(), found.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(|found| ours(&found)) {
            // A directory that went away took the file along.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy::core::event::Memory;

    use super::*;

    #[test]
    fn the_directory_is_private_and_the_socket_is_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/control.sock");
        let socket = ControlSocket::open(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(&path), 0o600);
        drop(socket);
        assert!(!path.exists(), "the file goes with the socket");
    }

    #[test]
    fn a_socket_that_a_dead_process_left_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let socket = ControlSocket::open(&path).unwrap();
        assert!(UnixStream::connect(socket.file.path()).is_ok());
    }

    #[test]
    fn a_live_one_is_refused_with_its_owner_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let first = ControlSocket::open(&path).unwrap();
        let refused = ControlSocket::open(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("(pid {})", std::process::id())), "{refused}");
        assert!(path.exists());
        drop(first);
    }

    #[test]
    fn where_there_can_be_none_the_service_runs_without_and_says_so() {
        let mut config = crate::config::load(&crate::config::Sources::default()).unwrap().config;
        let memory = Memory::default();
        assert!(ControlSocket::of(&config, &memory).unwrap().is_none());
        config.control = Some(PathBuf::from("/proc/no/control.sock"));
        assert!(ControlSocket::of(&config, &memory).unwrap().is_none());
        let said = memory.said();
        assert!(said[0].starts_with("no control socket: set"), "{said:?}");
        assert!(said[1].starts_with("the control socket /proc/no/control.sock cannot be made"), "{said:?}");
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(ControlSocket::open(&path), Err(OpenError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn one_that_was_put_in_our_place_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let socket = ControlSocket::open(&path).unwrap();
        fs::rename(&path, directory.path().join("moved.sock")).unwrap();
        let theirs = UnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(theirs);
    }
}
