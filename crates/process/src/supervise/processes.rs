//! Who descends from whom, by `proc_pid_stat(5)`.

use std::collections::HashMap;
use std::fs;

use rustix::process::Pid;

/// A process as the kernel shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) parent: Option<Pid>,
    pub(crate) group: Option<Pid>,
    pub(crate) session: Option<Pid>,
    /// In clock ticks since the machine booted: a number with the same start is the same process.
    pub(crate) started: u64,
    /// Has ended, and waits for somebody to reap it.
    pub(crate) zombie: bool,
}

impl Process {
    /// `None` when there is none, or when it may not be seen.
    pub(crate) fn read(pid: Pid) -> Option<Self> {
        parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// All processes at one moment.
#[derive(Debug, Default)]
pub(crate) struct Processes(HashMap<Pid, Process>);

impl Processes {
    pub(crate) fn read() -> Self {
        let Ok(entries) = fs::read_dir("/proc") else { return Self::default() };
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
        Self(pids.filter_map(Process::read).map(|process| (process.pid, process)).collect())
    }

    pub(crate) fn get(&self, pid: Pid) -> Option<&Process> {
        self.0.get(&pid)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.0.values()
    }

    /// The nearest of `roots` among `process` and its ancestors.
    pub(crate) fn root_of(&self, process: &Process, roots: &[Pid]) -> Option<Pid> {
        let mut at = Some(process.pid);
        // A table that was read while processes came and went may hold a circle.
        for _ in 0..=self.0.len() {
            let pid = at?;
            if roots.contains(&pid) {
                return Some(pid);
            }
            at = self.0.get(&pid)?.parent;
        }
        None
    }
}

/// The name stands in parentheses and may hold anything, also `) R 1`: what follows the last parenthesis is safe.
fn parse(pid: Pid, stat: &[u8]) -> Option<Process> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let pid_at = |index: usize| fields.get(index)?.parse().ok().and_then(Pid::from_raw);
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: pid_at(1),
        group: pid_at(2),
        session: pid_at(3),
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    #[test]
    fn a_name_that_looks_like_the_fields_after_it_fools_nobody() {
        let stat =
            b"42 (sh) R 1 (x) S 7 42 41 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 1 18446744073709551615\n";
        let process = parse(pid(42), stat).unwrap();
        let expected = Process {
            pid: pid(42),
            parent: Some(pid(7)),
            group: Some(pid(42)),
            session: Some(pid(41)),
            started: 12345,
            zombie: false,
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn we_descend_from_our_parent_and_not_from_ourselves_alone() {
        let processes = Processes::read();
        let own = *processes.get(rustix::process::getpid()).unwrap();
        let parent = rustix::process::getppid().unwrap();
        assert_eq!(own.parent, Some(parent));
        assert_eq!(processes.root_of(&own, &[parent]), Some(parent));
        assert_eq!(processes.root_of(&own, &[own.pid, parent]), Some(own.pid));
        let thread_of_none = Process { pid: pid(i32::MAX), ..own };
        assert_eq!(processes.root_of(&thread_of_none, &[parent]), None);
    }
}
