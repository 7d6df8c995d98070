//! Commands around the program: migrations and hooks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use seaworthy_core::event::{Ending, Event, Sink};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::capture::{Capture, Writer};
use super::environment::{Environment, Ports};
use super::lines::{Lines, OutputLine};
use super::program::Program;
use super::reaper::{Child, Reaper};
use super::spawn::{Launch, Launched, Output, SpawnError};
use super::user::Identity;
use crate::config::{App, Hook, Migration, Secret};

/// Runs commands in the surroundings of the program: its environment, directory and user.
#[derive(Clone)]
pub(crate) struct Commands {
    pub(super) reaper: Reaper,
    /// Without the ports, which differ from start to start.
    pub(super) environment: Environment,
    /// `app.env`.
    pub(super) configured: BTreeMap<String, Secret>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) identity: Option<Identity>,
    pub(super) lines: Arc<dyn Lines>,
    pub(super) sink: Arc<dyn Sink>,
    /// The program beside which they run.
    pub(super) program: Program,
}

impl std::fmt::Debug for Commands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commands").field("cwd", &self.cwd).field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error("it ended with {ending}")]
    Failed { ending: Ending, last_lines: Vec<String> },
    #[error("it took longer than {limit:?} and was killed")]
    TooLong { limit: Duration, last_lines: Vec<String> },
}

impl CommandError {
    /// What it said last.
    pub(crate) fn last_lines(&self) -> &[String] {
        match self {
            Self::Spawn(_) => &[],
            Self::Failed { last_lines, .. } | Self::TooLong { last_lines, .. } => last_lines,
        }
    }
}

impl Commands {
    /// In the surroundings of `app`, whether or not it has a command.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] if `app.user` is nobody that can be taken on.
    pub(crate) fn of(
        app: &App,
        lines: Arc<dyn Lines>,
        sink: Arc<dyn Sink>,
        reaper: Reaper,
    ) -> Result<Self, SpawnError> {
        let identity = app.user.as_ref().map(Identity::of).transpose()?.filter(|identity| !identity.is_ours());
        let login = identity.iter().flat_map(Identity::environment);
        let environment = Environment::inherited(std::env::vars_os()).without(&app.withheld).with(login);
        Ok(Self {
            reaper,
            environment,
            configured: app.env.clone(),
            cwd: app.cwd.clone(),
            identity,
            lines,
            sink,
            program: Program::default(),
        })
    }

    /// Runs hooks one after another, with the ports that the program has at this moment.
    ///
    /// One that fails is reported and keeps none of the others from running. `moment` names them in events:
    /// `stop.before`. Dropped unfinished, the one that runs is killed.
    pub(crate) async fn hooks(&self, moment: &str, hooks: &[Hook]) {
        for hook in hooks {
            let name = format!("{moment} hook {}", hook.command.first().map_or("", String::as_str));
            // What went wrong is in the event.
            let _ = self.run(&name, &hook.command, &BTreeMap::new(), hook.timeout, &Notify::new()).await;
        }
    }

    /// What a process that is started now is given: the ports are those of the program.
    pub(super) fn environment(&self, ports: Option<Ports>) -> Environment {
        self.environment.clone().with_ports(ports).with_configured(&self.configured)
    }

    /// Told by `interrupt`, it gets a TERM and may roll back; dropped unfinished, it is killed.
    pub(super) async fn migration(&self, migration: &Migration, interrupt: &Notify) -> Result<(), CommandError> {
        let name = format!("migration {}", migration.name);
        self.run(&name, &migration.command, &migration.env, migration.timeout, interrupt).await
    }

    async fn run(
        &self,
        name: &str,
        command: &[String],
        more: &BTreeMap<String, Secret>,
        limit: Duration,
        interrupt: &Notify,
    ) -> Result<(), CommandError> {
        let began = Instant::now();
        let how = How { limit, interrupt, lines: &self.lines };
        let done = self.run_unreported(name, command, more, how).await.map(drop);
        self.sink.emit(&match &done {
            Ok(()) => Event::CommandRan { what: name.to_owned(), took: began.elapsed() },
            Err(error) => Event::CommandFailed { what: name.to_owned(), reason: error.to_string() },
        });
        done
    }

    /// Runs a command of a check. What it writes goes to whoever asked, and not to the log. Dropped unfinished, it is
    /// killed.
    pub(crate) async fn check(
        &self,
        command: &[String],
        more: &BTreeMap<String, Secret>,
    ) -> Result<(Ending, Vec<String>), CommandError> {
        let nobody: Arc<dyn Lines> = Arc::new(Unheard);
        // Whoever runs checks has a limit for all kinds of them.
        let how = How { limit: Duration::MAX, interrupt: &Notify::new(), lines: &nobody };
        match self.run_unreported("check", command, more, how).await {
            Ok(output) => Ok((Ending::Exited(0), output)),
            Err(CommandError::Failed { ending, last_lines }) => Ok((ending, last_lines)),
            Err(error) => Err(error),
        }
    }

    async fn run_unreported(
        &self,
        name: &str,
        command: &[String],
        more: &BTreeMap<String, Secret>,
        how: How<'_>,
    ) -> Result<Vec<String>, CommandError> {
        let How { limit, interrupt, lines } = how;
        let launch = Launch {
            command: command.iter().map(OsString::from).collect(),
            environment: self.environment(self.program.ports()).with_configured(more),
            cwd: self.cwd.clone(),
            identity: self.identity.clone(),
            output: Output::Captured,
        };
        let Launched { child, outputs } = launch.spawn(&self.reaper)?;
        let writer = Writer { command: Some(name.into()), pid: child.pid().as_raw_pid().unsigned_abs() };
        let group = Group { child, reaper: &self.reaper };
        let capture = outputs.map(|outputs| Capture::start(outputs, &writer, lines)).transpose();
        let capture = capture.map_err(|source| SpawnError::Output { source })?.unwrap_or_default();
        let mut child = group.child.clone();
        let in_time = async {
            tokio::select! {
                ending = child.ended() => ending,
                () = interrupt.notified() => {
                    group.reaper.signal_group(&group.child, Signal::TERM);
                    child.ended().await
                }
            }
        };
        let ended = timeout(limit, in_time).await;
        // What it left in the background is no part of it, but whoever did not end in time takes all along.
        if ended.is_err() {
            group.kill();
        }
        let last_lines = capture.finish().await;
        match ended {
            Ok(ending) if ending.success() => Ok(last_lines),
            Ok(ending) => Err(CommandError::Failed { ending, last_lines }),
            Err(_) => Err(CommandError::TooLong { limit, last_lines }),
        }
    }
}

/// How long a command may run, what ends it early, and who hears it.
struct How<'a> {
    limit: Duration,
    interrupt: &'a Notify,
    lines: &'a Arc<dyn Lines>,
}

/// Drops every line: a check runs too often for its output to be news.
struct Unheard;

impl Lines for Unheard {
    fn line(&self, _: OutputLine<'_>) {}
}

/// A command with its group, killed when nobody waits for it any more.
struct Group<'a> {
    child: Child,
    reaper: &'a Reaper,
}

impl Group<'_> {
    fn kill(&self) {
        self.reaper.signal_group(&self.child, Signal::KILL);
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}
