//! Starts a process: found, given its environment, its user, its group and its pipes.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, PipeReader};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::environment::Environment;
use super::lookup::{self, LookupError};
use super::reaper::{Child, Reaper};
use super::user::{Identity, UserError};
use crate::exit_code::ExitCode;

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The program and its arguments. Never empty.
    pub(crate) command: Vec<OsString>,
    pub(crate) environment: Environment,
    pub(crate) cwd: Option<PathBuf>,
    /// Who it runs as; `None` is ourselves.
    pub(crate) identity: Option<Identity>,
    pub(crate) output: Output,
}

/// Where stdout and stderr go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// To where ours go, unseen by us.
    Inherited,
    /// Through us.
    Captured,
}

/// What was started.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) child: Child,
    /// stdout and stderr, where they are captured.
    pub(crate) outputs: Option<(PipeReader, PipeReader)>,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("app.user cannot be taken on: {0}; that needs to be root, or the user that we run as")]
    Become(#[source] io::Error),
    #[error("there is no command to run")]
    Empty,
    #[error("no port can be picked for it: {source}")]
    Port { source: io::Error },
    #[error("its output cannot be read: {source}")]
    Output { source: io::Error },
    #[error("{} cannot be executed: it is neither a program for this machine nor a script with #! in its first line", .0.display())]
    Format(PathBuf),
    #[error("{} cannot be executed: {source}", .path.display())]
    Other { path: PathBuf, source: io::Error },
}

impl SpawnError {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Lookup(error) => error.exit_code(),
            Self::User(_)
            | Self::Become(_)
            | Self::Empty
            | Self::Port { .. }
            | Self::Output { .. }
            | Self::Format(_)
            | Self::Other { .. } => ExitCode::CannotExecute,
        }
    }
}

/// ENOEXEC: neither ELF of this architecture nor a script.
const NOT_A_PROGRAM: i32 = rustix::io::Errno::NOEXEC.raw_os_error();

impl Launch {
    /// Starts it as the leader of a group of its own. Its signals are back at their defaults; std sees to that.
    pub(crate) fn spawn(&self, reaper: &Reaper) -> Result<Launched, SpawnError> {
        let (program, arguments) = self.command.split_first().ok_or(SpawnError::Empty)?;
        let path = lookup::find(program, self.environment.get("PATH"), self.cwd.as_deref())?;
        let mut command = Command::new(&path);
        command.arg0(program).args(arguments).env_clear().envs(self.environment.iter()).process_group(0);
        // A group in the background that reads from the terminal would be stopped.
        command.stdin(if io::stdin().is_terminal() { Stdio::null() } else { Stdio::inherit() });
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        let failed = |source: io::Error| match source.raw_os_error() {
            Some(NOT_A_PROGRAM) => SpawnError::Format(path.clone()),
            _ => SpawnError::Other { path: path.clone(), source },
        };
        let outputs = match self.output {
            Output::Inherited => None,
            Output::Captured => {
                let (stdout, to_stdout) = io::pipe().map_err(failed)?;
                let (stderr, to_stderr) = io::pipe().map_err(failed)?;
                command.stdout(to_stdout).stderr(to_stderr);
                Some((stdout, stderr))
            }
        };
        let child = match &self.identity {
            None => reaper.spawn(&mut command).map_err(failed)?,
            Some(identity) => spawn_as(identity, reaper, &mut command)?.map_err(failed)?,
        };
        Ok(Launched { child, outputs })
    }
}

/// Starts `command` from a thread that becomes somebody else, and then ends.
fn spawn_as(identity: &Identity, reaper: &Reaper, command: &mut Command) -> Result<io::Result<Child>, SpawnError> {
    let body = || {
        identity.become_in_this_thread()?;
        Ok(reaper.spawn(command))
    };
    let spawned = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("spawn".to_owned()).spawn_scoped(scope, body)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
    });
    spawned.map_err(SpawnError::Become)
}

/// `argument` with each `{port}` replaced.
pub(crate) fn with_port(argument: &OsStr, port: u16) -> OsString {
    const PLACE: &[u8] = b"{port}";
    let (mut rest, port) = (argument.as_bytes(), port.to_string());
    let mut replaced = Vec::with_capacity(rest.len());
    while let Some(at) = rest.windows(PLACE.len()).position(|window| window == PLACE) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(port.as_bytes());
        rest = &rest[at + PLACE.len()..];
    }
    replaced.extend_from_slice(rest);
    OsString::from_vec(replaced)
}
