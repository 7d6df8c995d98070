//! The other end: how a command reaches a running Seaworthy. Blocking, because a command has nothing else to do.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::protocol::{Command, Reply};

/// A status of thousands of checks fits.
const LONGEST_REPLY: u64 = 16 << 20;

/// Why a command got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error(
        "nothing is at {path}: is `seaworthy run` running, with the same `control` or `state-dir`? Name its socket with --control"
    )]
    Absent { path: String },
    #[error("nobody listens on {path}: the process that made it is gone; start it again with `seaworthy run`")]
    Dead { path: String },
    #[error("{path} may not be opened: run this as root, or as the user that `seaworthy run` runs as")]
    Forbidden { path: String },
    #[error("{path} did not answer within {timeout:?}: look at the log of `seaworthy run`")]
    Late { path: String, timeout: Duration },
    #[error("{path} closed without an answer: the process may have ended; look at its log")]
    Closed { path: String },
    #[error("the answer of {path} cannot be read ({source}): are both ends of the same version?")]
    Unreadable { path: String, source: serde_json::Error },
    #[error("{path} cannot be reached: {source}")]
    Other { path: String, source: io::Error },
}

/// Sends `command` to the socket at `path`, and waits for its answer for at most `timeout`.
pub(crate) fn ask(path: &Path, command: &Command, timeout: Duration) -> Result<Reply, AskError> {
    let shown = || path.display().to_string();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => AskError::Absent { path: shown() },
        io::ErrorKind::ConnectionRefused => AskError::Dead { path: shown() },
        io::ErrorKind::PermissionDenied => AskError::Forbidden { path: shown() },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Late { path: shown(), timeout },
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => AskError::Closed { path: shown() },
        _ => AskError::Other { path: shown(), source },
    };
    let stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(timeout)).map_err(failed)?;
    stream.set_write_timeout(Some(timeout)).map_err(failed)?;
    let mut line = serde_json::to_vec(command).map_err(|source| AskError::Unreadable { path: shown(), source })?;
    line.push(b'\n');
    // A refused peer is answered before it has said anything, and may find the socket closed.
    let sent = (&stream).write_all(&line);
    let mut reply = Vec::new();
    BufReader::new(&stream).take(LONGEST_REPLY).read_until(b'\n', &mut reply).map_err(failed)?;
    if reply.is_empty() {
        sent.map_err(failed)?;
        return Err(AskError::Closed { path: shown() });
    }
    serde_json::from_slice(&reply).map_err(|source| AskError::Unreadable { path: shown(), source })
}
