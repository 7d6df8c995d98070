//! A process that runs without us, given by `--pid`: watched and signalled, never killed.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::proc::{self, Process};
use super::{Exit, StartError};

/// Held by a descriptor: its number may be given to another process once it is gone.
#[derive(Debug)]
pub(super) struct Adopted {
    pidfd: Arc<OwnedFd>,
    /// It and its descendants at the time of adoption.
    family: Vec<Process>,
}

impl Adopted {
    /// Takes hold of `pid`; its end is told by the receiver.
    pub(super) fn new(pid: u32) -> Result<(Self, watch::Receiver<Option<Exit>>), StartError> {
        let failed = |error: String| StartError::Adopt { pid, error };
        let number = super::pid(pid).ok_or_else(|| failed("it is no process id".to_owned()))?;
        let pidfd = Arc::new(pidfd_open(number, PidfdFlags::empty()).map_err(|error| failed(error.to_string()))?);
        let family = proc::family(pid);
        let (ended, exit) = watch::channel(None);
        let watched = pidfd.clone();
        std::thread::spawn(move || {
            // Looked up from now and then, so that the thread ends with the drill that it is for.
            const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            while !ended.is_closed() {
                let mut awaited = [PollFd::new(&*watched, PollFlags::IN)];
                if matches!(poll(&mut awaited, Some(&LOOK)), Ok(1..)) {
                    let _ = ended.send(Some(Exit { code: None, signal: None, at: Instant::now() }));
                    return;
                }
            }
        });
        Ok((Self { pidfd, family }, exit))
    }

    pub(super) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&*self.pidfd, signal);
    }

    /// What lives of it.
    pub(super) fn processes(&self) -> Vec<Process> {
        let mut living: Vec<Process> = Vec::new();
        for process in self.family.iter().filter(|process| process.lives()) {
            let new = proc::family(process.pid).into_iter().filter(|own| !living.contains(own)).collect::<Vec<_>>();
            living.extend(new);
        }
        living
    }
}
