//! Ends a program and all that it started.
//!
//! # Rules
//!
//! - The signal goes to the process, or to its group when the process is a shell or a package runner.
//! - The program may take all of the patience that it is given. Behind a shell the program is what the shell left, so
//!   that is waited for just as long; what a program itself leaves behind is told once and given [`LEFTOVERS`].
//! - When the patience is over, or somebody forces, everything is killed. No process of the family outlives the stop.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use seaworthy_core::event::{Ending, Event, Sink};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use super::family::Family;
use super::processes::Process;
use super::reaper::{Child, Reaper};
use super::runner;
use crate::config::{self, StopScope};

/// What those get that outlive the program: they had no part in its requests.
const LEFTOVERS: Duration = Duration::from_secs(2);

/// A process in an uninterruptible sleep survives SIGKILL for a while; we do not wait for it for ever.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// Between looks at the family where no death is reported to us.
const LOOK: Duration = Duration::from_millis(10);

/// How a stop went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// `None` when nothing ran.
    pub(crate) ending: Option<Ending>,
    /// It did not end by itself.
    pub(crate) killed: bool,
}

/// A program that runs, with what is needed to end it.
pub(super) struct Stop<'a> {
    pub(super) child: &'a mut Child,
    pub(super) family: &'a Family,
    pub(super) reaper: &'a Reaper,
    pub(super) settings: &'a config::Stop,
    /// Somebody wants it over now.
    pub(super) forced: &'a mut watch::Receiver<bool>,
    pub(super) sink: &'a dyn Sink,
}

impl Stop<'_> {
    /// Asks, waits for at most `patience`, then kills.
    pub(super) async fn run(mut self, patience: Duration) -> Stopped {
        let began = Instant::now();
        let deadline = began + patience;
        let (pid, signal) = (self.child.pid().as_raw_pid().unsigned_abs(), self.settings.signal);
        let behind_runner = self.reaches_group();
        self.sink.emit(&Event::AppStopping { pid, signal: signal.to_string(), patience });
        if behind_runner {
            self.reaper.signal_group(self.child, signal.into());
        } else {
            self.reaper.signal(self.child, signal.into());
        }
        // One that is stopped, by a debugger or by reading from the terminal, would not hear it.
        self.reaper.signal_group(self.child, Signal::CONT);
        let mut ended = self.main_ended(deadline).await;
        if ended && behind_runner {
            // Those outside of the group have not been told yet.
            self.tell_rest(signal.into());
            ended = self.family_gone(deadline).await;
        }
        if ended {
            self.sweep(deadline).await;
        } else {
            self.sink.emit(&Event::AppKilled { pid, patience: began.elapsed().min(patience) });
            self.kill().await;
        }
        let ending = self.child.ending();
        if let (Some(ending), true) = (ending, ended) {
            self.sink.emit(&Event::AppStopped { ending, took: began.elapsed() });
        }
        Stopped { ending, killed: !ended }
    }

    /// Ends what a program that is dead left behind.
    pub(super) async fn sweep(&mut self, deadline: Instant) {
        let left = self.family.members();
        if left.is_empty() {
            return;
        }
        Family::signal(&left, Signal::TERM);
        Family::signal(&left, Signal::CONT);
        if !self.family_gone(deadline.min(Instant::now() + LEFTOVERS)).await {
            self.kill().await;
        }
    }

    /// Kills everything, now.
    pub(super) async fn kill(&mut self) {
        self.reaper.signal_group(self.child, Signal::KILL);
        let all = async {
            loop {
                // Again and again: one that was about to fork when it was looked at has a child by now.
                let members = self.family.members();
                if members.is_empty() && self.child.ending().is_some() {
                    return;
                }
                Family::signal(&members, Signal::KILL);
                sleep(LOOK).await;
            }
        };
        let _ = timeout(AFTER_KILL, all).await;
    }

    fn reaches_group(&self) -> bool {
        match self.settings.scope {
            StopScope::Process => false,
            StopScope::Group => true,
            StopScope::Auto => runner::is_runner(self.child.pid()),
        }
    }

    fn tell_rest(&self, signal: Signal) {
        let leader = self.child.pid();
        let rest: Vec<Process> = self.family.members().into_iter().filter(|m| m.group != Some(leader)).collect();
        Family::signal(&rest, signal);
    }

    /// Whether the process that we started ended before `deadline`.
    async fn main_ended(&mut self, deadline: Instant) -> bool {
        tokio::select! {
            biased;
            _ = self.child.ended() => true,
            () = forced(self.forced) => false,
            () = sleep_until(deadline.into()) => false,
        }
    }

    /// Whether all of the family ended before `deadline`.
    async fn family_gone(&mut self, deadline: Instant) -> bool {
        let family = self.family;
        let mut reaped = self.reaper.reaped();
        let gone = async {
            while !family.is_gone() {
                // A death is mostly reported; one that somebody else reaps is not.
                let _ = timeout(LOOK, reaped.changed()).await;
            }
        };
        tokio::select! {
            biased;
            () = gone => true,
            () = forced(self.forced) => false,
            () = sleep_until(deadline.into()) => false,
        }
    }
}

/// Completes when somebody wants it over now.
pub(super) async fn forced(forced: &mut watch::Receiver<bool>) {
    // Nobody is left who could force: whoever could have is gone, and closes the channel of orders too.
    if forced.wait_for(|forced| *forced).await.is_err() {
        std::future::pending::<()>().await;
    }
}
