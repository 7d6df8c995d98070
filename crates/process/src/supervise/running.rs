//! The program from its start on.

use std::time::Instant;

use rustix::process::Signal;
use seaworthy_core::event::Event;

use super::capture::{Capture, Writer};
use super::command::Commands;
use super::environment::Ports;
use super::family::Family;
use super::reaper::Child;
use super::spawn::{self, Launch, Launched, SpawnError};
use super::{Setup, port, shown};
use crate::config::AppPort;

/// The program while it runs.
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) family: Family,
    pub(super) capture: Capture,
    pub(super) started: Instant,
    /// `None` for a program without HTTP.
    pub(super) port: Option<u16>,
    /// Whether it has been ready.
    pub(super) ready: bool,
}

impl Running {
    /// Picks its ports, starts it, and begins to read what it writes.
    ///
    /// A port is picked anew for each start: the last one may be kept by connections in `TIME_WAIT`, and not every
    /// program knows how to take it all the same.
    pub(super) fn launch(setup: &Setup, commands: &Commands) -> Result<Self, SpawnError> {
        let no_port = |source| SpawnError::Port { source };
        let main = match setup.app.port {
            AppPort::Pick => Some(port::pick(None).map_err(no_port)?),
            AppPort::Fixed(port) => Some(port.get()),
            AppPort::None => None,
        };
        let ports = match main {
            Some(main) => Some(Ports { main, admin: port::pick(Some(main)).map_err(no_port)? }),
            None => None,
        };
        let with_port = |argument| {
            main.map_or_else(|| std::ffi::OsString::clone(argument), |port| spawn::with_port(argument, port))
        };
        let launch = Launch {
            command: setup.app.command.iter().map(with_port).collect(),
            environment: commands.environment(ports),
            cwd: commands.cwd.clone(),
            identity: commands.identity.clone(),
            output: setup.output,
        };
        let started = Instant::now();
        let Launched { child, outputs } = launch.spawn(&commands.reaper)?;
        let pid = child.pid().as_raw_pid().unsigned_abs();
        let family = Family::of(&child, &commands.reaper);
        let writer = Writer { command: None, pid };
        let capture = outputs.map(|outputs| Capture::start(outputs, &writer, &commands.lines)).transpose();
        let capture = match capture {
            Ok(capture) => capture.unwrap_or_default(),
            Err(source) => {
                commands.reaper.signal_group(&child, Signal::KILL);
                return Err(SpawnError::Output { source });
            }
        };
        commands.program.runs(family.clone(), ports);
        commands.sink.emit(&Event::AppStarted { pid, port: main, command: shown::command(&launch.command) });
        Ok(Self { child, family, capture, started, port: main, ready: false })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid().as_raw_pid().unsigned_abs()
    }
}
