//! The roll of all instances: which process is of which, also when it left its group, wrote over its environment and
//! outlived its parent.
//!
//! The drill is made a subreaper, so that orphans become its children and stay in sight. One that says by nothing whose it
//! is (a *stray*) is given to the only instance that lived when it began; where several did, to none.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::proc::{self, Process};

#[derive(Debug)]
struct Entry {
    leader: u32,
    mark: String,
    /// The pipes of its log: what holds one open is of it.
    pipes: Vec<u64>,
    /// In ticks since the machine was started.
    began: u64,
    ended: Option<u64>,
}

static ROLL: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn roll() -> MutexGuard<'static, Vec<Entry>> {
    ROLL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on orphans become children of the calling process. Where the kernel refuses, strays go unseen.
pub(crate) fn watch_orphans() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Waits out the tick in which an instance ended: what begins in it could be of that one, or of the next.
pub(super) fn part_from_the_last() {
    while roll().iter().any(|entry| entry.ended.is_some_and(|ended| ended >= proc::now())) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(super) fn enter(leader: u32, mark: &str, pipes: Vec<u64>) {
    let began = proc::began(leader).unwrap_or_else(proc::now);
    roll().push(Entry { leader, mark: mark.to_owned(), pipes, began, ended: None });
}

pub(super) fn leave(mark: &str) {
    if let Some(entry) = roll().iter_mut().find(|entry| entry.mark == mark) {
        entry.ended = Some(proc::now());
    }
}

/// Leaders and marks of the instances that are not dropped yet.
pub(super) fn alive() -> Vec<(u32, String)> {
    roll().iter().filter(|entry| entry.ended.is_none()).map(|entry| (entry.leader, entry.mark.clone())).collect()
}

/// Whose a stray is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The instance at this place of the roll.
    One(usize),
    /// Several lived when it began.
    Unclear,
    /// None did: it is none of ours.
    Nobody,
}

fn owner(roll: &[Entry], stray: &Process, pipes: &[u64]) -> Owner {
    if let Some(place) = roll.iter().position(|entry| entry.pipes.iter().any(|pipe| pipes.contains(pipe))) {
        return Owner::One(place);
    }
    let lived = |entry: &Entry| entry.began <= stray.began && entry.ended.is_none_or(|ended| stray.began <= ended);
    let mut candidates = roll.iter().enumerate().filter(|(_, entry)| lived(entry)).map(|(place, _)| place);
    match (candidates.next(), candidates.next()) {
        (Some(place), None) => Owner::One(place),
        (Some(_), Some(_)) => Owner::Unclear,
        (None, _) => Owner::Nobody,
    }
}

/// Strays of the instance with this mark.
pub(super) fn strays_of(mark: &str, strays: &[Process]) -> Vec<Process> {
    strays_where(strays, |roll, owner| matches!(owner, Owner::One(place) if roll[place].mark == mark))
}

/// Living strays of which it cannot be told whose they are.
pub(crate) fn unclear() -> Vec<Process> {
    strays_where(&proc::strays(), |_, owner| owner == Owner::Unclear)
}

/// Waits for orphans that are dead. Leaders of instances are waited for elsewhere.
pub(super) fn bury(dead: impl Iterator<Item = u32>) {
    let roll = roll();
    let orphans = dead.filter(|pid| !roll.iter().any(|entry| entry.leader == *pid));
    for pid in orphans.filter_map(super::pid) {
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
    }
}

/// Living strays of instances.
pub(super) fn all_strays() -> Vec<Process> {
    strays_where(&proc::strays(), |_, owner| owner != Owner::Nobody)
}

fn strays_where(strays: &[Process], wanted: impl Fn(&[Entry], Owner) -> bool) -> Vec<Process> {
    let roll = roll();
    let strays = strays.iter().filter(|stray| !roll.iter().any(|entry| entry.leader == stray.pid));
    strays.filter(|stray| wanted(&roll, owner(&roll, stray, &proc::pipes(stray.pid)))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(leader: u32, began: u64, ended: Option<u64>) -> Entry {
        Entry { leader, mark: leader.to_string(), pipes: vec![u64::from(leader)], began, ended }
    }

    fn stray(began: u64) -> Process {
        Process { pid: 9, parent: 1, name: "left".to_owned(), began }
    }

    #[test]
    fn a_stray_is_of_the_only_instance_that_lived_when_it_began() {
        let roll = [entry(1, 100, Some(200)), entry(2, 150, None), entry(3, 300, None)];
        assert_eq!(owner(&roll, &stray(120), &[]), Owner::One(0));
        assert_eq!(owner(&roll, &stray(250), &[]), Owner::One(1));
        assert_eq!(owner(&roll, &stray(180), &[]), Owner::Unclear);
        assert_eq!(owner(&roll, &stray(90), &[]), Owner::Nobody);
    }

    #[test]
    fn whoever_holds_the_pipe_of_a_log_is_of_its_instance() {
        let roll = [entry(1, 100, None), entry(2, 100, None)];
        assert_eq!(owner(&roll, &stray(150), &[77, 2]), Owner::One(1));
    }

    #[test]
    fn no_instance_begins_in_the_tick_in_which_another_ended() {
        for _ in 0..20 {
            let mark = fastrand::u64(..).to_string();
            enter(std::process::id(), &mark, Vec::new());
            leave(&mark);
            part_from_the_last();
            let began = proc::now();
            let ended = roll().iter().find(|entry| entry.mark == mark).and_then(|entry| entry.ended);
            assert!(ended.is_some_and(|ended| ended < began), "{ended:?} {began}");
        }
    }

    #[test]
    fn orphans_that_die_are_buried() {
        use std::os::unix::process::CommandExt;
        watch_orphans();
        // The orphan is dead, or dies soon, when its parent has ended; it is in the group of that.
        let mut parent = std::process::Command::new("sh").args(["-c", "true & exit"]).process_group(0).spawn().unwrap();
        let group = parent.id();
        parent.wait().unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while proc::is_group_left(group) {
            assert!(std::time::Instant::now() < deadline, "nobody waits for the orphan");
            proc::strays();
        }
    }
}
