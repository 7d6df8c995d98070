//! The one that waits for every child: the program, migrations, hooks, checks that run a command.
//!
//! # Rules
//!
//! - Nobody else waits. Two waiters steal each other's status, so `tokio::process` is banned and children are started
//!   here: [`Reaper::spawn`].
//! - The registry is locked while a child is started, so that one that dies at once is known by the time it is reaped,
//!   and while a signal is sent, so that a number which was reaped and given to somebody else is never hit.
//! - As PID 1 or as subreaper we inherit the orphans of the whole tree; they are reaped like everybody else.

use std::collections::HashMap;
use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use seaworthy_core::event::{Ending, Event, Sink};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Waits for children. Clones share the registry.
#[derive(Clone)]
pub(crate) struct Reaper(Arc<Shared>);

struct Shared {
    registry: Mutex<HashMap<Pid, watch::Sender<Option<Ending>>>>,
    /// Whether children that we did not start come to us when their parents die.
    adopts: bool,
    /// Counts what was reaped, for those who wait for a process that is not their child.
    reaped: watch::Sender<u64>,
    sink: Arc<dyn Sink>,
}

impl std::fmt::Debug for Reaper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reaper").field("adopts", &self.0.adopts).finish_non_exhaustive()
    }
}

/// A child process. Clones are handles on the same one; dropping them all neither ends it nor forgets it.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pid: Pid,
    ending: watch::Receiver<Option<Ending>>,
}

impl Child {
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, once it has.
    pub(crate) fn ending(&self) -> Option<Ending> {
        *self.ending.borrow()
    }

    /// Completes when it has ended. May be called again, and dropped unfinished.
    pub(crate) async fn ended(&mut self) -> Ending {
        match self.ending.wait_for(Option::is_some).await {
            Ok(ending) => ending.unwrap_or(LOST),
            // Only when the reaper was dropped, and nobody can know any more.
            Err(_) => LOST,
        }
    }
}

/// Of a child whose status nobody can tell.
const LOST: Ending = Ending::Exited(255);

impl Reaper {
    /// Waits for children from now on, in a task of the current runtime, and adopts the orphans among our descendants.
    ///
    /// Every child of the process is waited for then: nothing else in it may use [`std::process::Child::wait`].
    pub(crate) fn start(sink: Arc<dyn Sink>) -> io::Result<Self> {
        let own = rustix::process::getpid();
        if !own.is_init() {
            rustix::process::set_child_subreaper(Some(own))?;
        }
        Self::with(sink, true)
    }

    /// Waits for those that were started here and for no others.
    #[cfg(test)]
    pub(crate) fn for_own_children(sink: Arc<dyn Sink>) -> io::Result<Self> {
        Self::with(sink, false)
    }

    fn with(sink: Arc<dyn Sink>, adopts: bool) -> io::Result<Self> {
        let mut deaths = signal(SignalKind::child())?;
        let shared = Shared { registry: Mutex::default(), adopts, reaped: watch::Sender::new(0), sink };
        let reaper = Self(Arc::new(shared));
        let weak = Arc::downgrade(&reaper.0);
        tokio::spawn(async move {
            // Signals of one kind merge: one may stand for many deaths.
            while deaths.recv().await.is_some() {
                let Some(shared) = weak.upgrade() else { return };
                shared.reap();
            }
        });
        Ok(reaper)
    }

    /// Starts a child.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let mut registry = self.0.registry();
        // Clippy's ban is on tokio's; this one is never waited for, which is what the registry is for. A failed exec is
        // waited for by `spawn` itself, another reason to hold the lock.
        let id = command.spawn()?.id();
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let (sender, ending) = watch::channel(None);
        registry.insert(pid, sender);
        Ok(Child { pid, ending })
    }

    /// Sends a signal to a child that has not ended. Says whether there was one to send it to.
    pub(crate) fn signal(&self, child: &Child, signal: Signal) -> bool {
        let registry = self.0.registry();
        registry.contains_key(&child.pid) && rustix::process::kill_process(child.pid, signal).is_ok()
    }

    /// Sends a signal to the group that a child leads, unless the child has ended: its number may be another's then.
    pub(crate) fn signal_group(&self, child: &Child, signal: Signal) -> bool {
        let registry = self.0.registry();
        registry.contains_key(&child.pid) && rustix::process::kill_process_group(child.pid, signal).is_ok()
    }

    /// Our own children that have not been reaped.
    pub(crate) fn children(&self) -> Vec<Pid> {
        self.0.registry().keys().copied().collect()
    }

    /// Whether orphans come to us.
    pub(crate) fn adopts(&self) -> bool {
        self.0.adopts
    }

    /// Changes whenever something was reaped.
    pub(crate) fn reaped(&self) -> watch::Receiver<u64> {
        self.0.reaped.subscribe()
    }
}

impl Shared {
    fn registry(&self) -> MutexGuard<'_, HashMap<Pid, watch::Sender<Option<Ending>>>> {
        // Nothing panics while it holds the lock, and a map is whole at any time.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reap(&self) {
        let mut orphans = Vec::new();
        let mut known = 0;
        {
            let mut registry = self.registry();
            registry.retain(|&pid, child| {
                let Some(ending) = ending_of(pid) else { return true };
                child.send_replace(Some(ending));
                known += 1;
                false
            });
            while let Some((pid, status)) = self.adopts.then(any_ended).flatten() {
                match registry.remove(&pid) {
                    Some(child) => {
                        child.send_replace(ending(status));
                        known += 1;
                    }
                    None => orphans.push(pid),
                }
            }
        }
        if known > 0 || !orphans.is_empty() {
            self.reaped.send_modify(|count| *count += 1);
        }
        for pid in orphans {
            self.sink.emit(&Event::OrphanReaped { pid: pid.as_raw_pid().unsigned_abs() });
        }
    }
}

/// Reaps `pid` if it has ended.
fn ending_of(pid: Pid) -> Option<Ending> {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::NOHANG) {
            Ok(status) => return status.and_then(|(_, status)| ending(status)),
            Err(Errno::INTR) => {}
            // Somebody else waited. It is over, and that is all there is to know.
            Err(_) => return Some(LOST),
        }
    }
}

/// Reaps whoever has ended.
fn any_ended() -> Option<(Pid, WaitStatus)> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(ended) => return ended,
            Err(Errno::INTR) => {}
            // Nobody is left.
            Err(_) => return None,
        }
    }
}

fn ending(status: WaitStatus) -> Option<Ending> {
    status.exit_status().map(Ending::Exited).or_else(|| status.terminating_signal().map(Ending::Signalled))
}
