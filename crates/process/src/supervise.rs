//! The program that we start, and every other child process.
//!
//! # Rules
//!
//! - One [`Reaper`] waits for every child; see there.
//! - One [`Supervisor`] owns the program: it runs the migrations, starts it, waits until it is ready, starts it again
//!   when it dies or hangs, and ends it with all that it started. What happens is told in [`Report`]s; the states of the
//!   service are moved by whoever reads them.
//! - When the last handle on a supervisor is dropped, the program is killed: nobody could stop it any more.
//!
//! # Example
//!
//! ```ignore
//! let reaper = Reaper::start(sink.clone())?;
//! let commands = Commands::of(&setup.app, lines, sink, reaper)?;
//! let (supervisor, mut reports) = Supervisor::start(setup, commands, surroundings);
//! while let Some(report) = reports.recv().await {
//!     match report {
//!         Report::Ready { address, .. } => gateway.forward_to(address.map(upstream_at)),
//!         Report::Died { .. } => lifecycle.apply(Change::ProgramDied),
//!         Report::Failed(failure) => return failure.code,
//!         Report::Started { .. } => {}
//!     }
//! }
//! ```

mod activation;
mod capture;
mod command;
mod diagnosis;
mod environment;
mod family;
mod hang;
mod life;
mod lines;
mod lookup;
mod migration;
mod orders;
mod port;
mod probe;
mod processes;
mod program;
mod ready;
mod reaper;
mod runner;
mod running;
mod shown;
mod spawn;
mod stop;
mod systemd;
mod user;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_checks::Surroundings;
use seaworthy_core::event::Ending;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::activation::{HandedOver, handed_over};
pub(crate) use self::command::Commands;
pub(crate) use self::lines::{Lines, OutputLine, Source};
pub(crate) use self::reaper::Reaper;
pub(crate) use self::spawn::{Output, SpawnError};
pub(crate) use self::stop::Stopped;
pub(crate) use self::systemd::Notifier;

use self::life::Life;
use self::orders::Order;
use self::program::Program;
use crate::config::{App, Migration, Restart, Signal, Start, Stop};
use crate::exit_code::ExitCode;

/// What a supervisor works with.
pub(crate) struct Setup {
    /// `command` must not be empty.
    pub(crate) app: App,
    pub(crate) start: Start,
    pub(crate) stop: Stop,
    pub(crate) restart: Restart,
    pub(crate) migrations: Vec<Migration>,
    /// [`Output::Inherited`] where a person watches it on a terminal.
    pub(crate) output: Output,
    /// Where we listen: a program that wants one of these is told so.
    pub(crate) our_ports: Vec<u16>,
    /// How many responses of the program were completed so far. Answers of our own, such as a 504, are none.
    pub(crate) completed: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// What happened to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// It runs, and is not ready yet.
    Started { pid: u32, port: Option<u16> },
    /// It accepts requests at `address`; a program without HTTP has none and is ready as soon as it runs.
    Ready { pid: u32, address: Option<SocketAddr>, took: Duration },
    /// It ended although nobody asked it to, or was killed because it hung. `restarting_in` is `None` when it will not be
    /// started again: [`Report::Failed`] follows.
    Died { ending: Ending, hung: bool, restarting_in: Option<Duration> },
    /// It will not come back by itself. The last report.
    Failed(Failure),
}

/// Why there is no program any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// What to exit with.
    pub(crate) code: ExitCode,
    /// For people.
    pub(crate) reason: String,
    /// What the program, or its migration, said last. Empty where its output is not captured.
    pub(crate) last_lines: Vec<String>,
}

/// At which point it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// There is no such program, or it cannot be executed.
    CannotStart,
    MigrationFailed,
    /// It did not become ready.
    NotReady,
    /// It died too often.
    GaveUp,
    /// It ended, and `restart.policy` leaves it at that, or the service is about to end.
    Ended,
}

/// A handle on the program. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor {
    orders: mpsc::UnboundedSender<Order>,
    forced: watch::Sender<bool>,
    program: Program,
}

impl Supervisor {
    /// Starts the program, in a task of the current runtime and in the surroundings of `commands`; locks of migrations are
    /// asked for in `surroundings`.
    pub(crate) fn start(
        setup: Setup,
        commands: Commands,
        surroundings: Surroundings,
    ) -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (orders, receive_orders) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        let (forced, is_forced) = watch::channel(false);
        let supervisor = Self { orders, forced, program: commands.program.clone() };
        tokio::spawn(Life::new(setup, commands, surroundings, receive_orders, is_forced, report).run());
        (supervisor, reports)
    }

    /// Ends the program: asks it, waits for at most `patience`, then kills it and all that is left of it.
    ///
    /// Completes when nothing of it runs any more. No restart follows, and no report.
    pub(crate) async fn stop(&self, patience: Duration) -> Stopped {
        let (answer, stopped) = oneshot::channel();
        // One that failed has nothing left to stop.
        let _ = self.orders.send(Order::Stop { patience, answer: Some(answer) });
        stopped.await.unwrap_or_default()
    }

    /// Cuts the patience of a stop short, or ends the program without any.
    pub(crate) fn force(&self) {
        self.forced.send_replace(true);
        let _ = self.orders.send(Order::Stop { patience: Duration::ZERO, answer: None });
    }

    /// Sends a signal to the program; behind a shell or a package runner, to what that started.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = self.orders.send(Order::Signal(signal));
    }

    /// Says that the service is about to end: from now on the program is not started again. One that ends by itself is
    /// reported as ever; a platform may have sent its signal to every process of ours, as systemd does unless told
    /// otherwise.
    pub(crate) fn wind_down(&self) {
        let _ = self.orders.send(Order::WindDown);
    }

    /// All processes of the program. Reads /proc: for a scrape, not for each request.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let members = self.program.family().map(|family| family.members()).unwrap_or_default();
        members.into_iter().map(|member| member.pid.as_raw_pid().unsigned_abs()).collect()
    }
}

#[cfg(test)]
mod tests;
