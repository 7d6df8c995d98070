//! All processes that a child stands for: itself, its descendants, and those that it left to us.

use std::collections::HashSet;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::processes::{Process, Processes};
use super::reaper::{Child, Reaper};
use crate::sockets::{self, Listening};

/// The family of the program.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    leader: Pid,
    started: Option<u64>,
    reaper: Reaper,
}

/// Whose a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Family,
    Stranger,
    /// /proc does not say: it hides processes of others, or their descriptors.
    Hidden,
}

impl Family {
    pub(crate) fn of(child: &Child, reaper: &Reaper) -> Self {
        let started = Process::read(child.pid()).map(|process| process.started);
        Self { leader: child.pid(), started, reaper: reaper.clone() }
    }

    /// The process that we started.
    pub(crate) fn leader(&self) -> Pid {
        self.leader
    }

    /// Those that live.
    ///
    /// A process that left the group and lost its parents, as daemons do, has come to us: whatever descends from us and
    /// is not another child of ours is taken to be the program's, unless it is older. Where orphans do not come to us,
    /// such a process is lost from sight.
    pub(crate) fn members(&self) -> Vec<Process> {
        let processes = Processes::read();
        let us = rustix::process::getpid();
        // The kernel gives a number out again only when no group has it: then nothing of the family is left there.
        let another = |process: &Process| self.started.is_some_and(|started| process.started != started);
        let leader_is_another = processes.get(self.leader).is_some_and(another);
        let children = self.reaper.children();
        let others: Vec<Pid> = children.into_iter().filter(|pid| *pid != self.leader || leader_is_another).collect();
        let mut roots = others.clone();
        roots.extend([self.leader, us]);
        let belongs = |process: &&Process| {
            if process.zombie || process.pid == us {
                return false;
            }
            let older = self.started.is_some_and(|started| process.started < started);
            let is_in = |of: Pid| process.group == Some(of) || process.session == Some(of);
            match processes.root_of(process, &roots) {
                Some(root) if root == self.leader => !leader_is_another,
                Some(root) if root == us => {
                    let others_orphan = others.iter().any(|other| is_in(*other));
                    is_in(self.leader) && !leader_is_another || self.reaper.adopts() && !older && !others_orphan
                }
                // The child of another child, or where orphans go elsewhere one of them.
                Some(_) => false,
                None => !self.reaper.adopts() && is_in(self.leader) && !leader_is_another,
            }
        };
        processes.iter().filter(belongs).copied().collect()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.members().is_empty()
    }

    /// Sends a signal to each of `members` that is still who it was.
    pub(crate) fn signal(members: &[Process], signal: Signal) {
        for member in members {
            // The descriptor holds on to the process, so that what is looked at is what gets the signal.
            let handle = rustix::process::pidfd_open(member.pid, PidfdFlags::empty());
            if Process::read(member.pid).is_none_or(|now| now.started != member.started) {
                continue;
            }
            // Errors mean that it has ended meanwhile.
            let _ = match handle {
                Ok(handle) => rustix::process::pidfd_send_signal(&handle, signal),
                // Before Linux 5.3, or behind a filter of system calls.
                Err(_) => rustix::process::kill_process(member.pid, signal),
            };
        }
    }

    /// Whose the sockets are that listen on `port` and can be reached over loopback.
    pub(crate) fn owns(&self, port: u16) -> Owner {
        let of_port = |listening: &Listening| listening.address.port() == port && listening.on_loopback();
        let inodes: Vec<u64> = sockets::listening().iter().filter(|l| of_port(l)).map(|l| l.inode).collect();
        if inodes.is_empty() {
            return Owner::Hidden;
        }
        let holds = |held: &HashSet<u64>| inodes.iter().any(|inode| held.contains(inode));
        // Most programs listen in the process that was started; the table of all is dearer.
        if sockets::held_by(self.leader).is_some_and(|held| holds(&held)) {
            return Owner::Family;
        }
        let members = self.members();
        let mut hidden = members.is_empty();
        for member in members {
            match sockets::held_by(member.pid) {
                Some(held) if holds(&held) => return Owner::Family,
                Some(_) => {}
                None => hidden = true,
            }
        }
        if hidden { Owner::Hidden } else { Owner::Stranger }
    }

    /// Where it listens.
    pub(crate) fn listens(&self) -> Vec<Listening> {
        let held: HashSet<u64> = self.members().iter().filter_map(|m| sockets::held_by(m.pid)).flatten().collect();
        let mut own: Vec<_> = sockets::listening().into_iter().filter(|l| held.contains(&l.inode)).collect();
        own.sort_by_key(|listening| (listening.address.port(), listening.address.ip()));
        own
    }
}
