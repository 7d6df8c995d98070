//! What /proc says of an instance.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A process of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) name: String,
    /// In ticks since the machine was started. With the pid it names one process for ever.
    pub(crate) began: u64,
}

impl Process {
    /// Whether it is still there, and no other with its number.
    pub(crate) fn lives(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.process.began == self.began && !stat.is_dead())
    }
}

#[derive(Debug)]
struct Stat {
    process: Process,
    state: char,
    group: u32,
}

impl Stat {
    /// A zombie has run its course, and waits for its parent only.
    fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

fn path(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// From `/proc/PID/stat`. The name may hold spaces and brackets itself.
fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(path(pid, "stat")).ok()?;
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let name = stat.get(open + 1..close)?.to_owned();
    let mut fields = stat.get(close + 2..)?.split(' ');
    let state = fields.next()?.chars().next()?;
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    // starttime is the 22nd field of all, and the 17th after the group.
    let began = fields.nth(16)?.parse().ok()?;
    Some(Stat { process: Process { pid, parent, name, began }, state, group })
}

/// Everything that has an entry in /proc, but ourselves.
fn all() -> impl Iterator<Item = Stat> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(move |pid| *pid != own).filter_map(stat)
}

/// When a process began, in ticks since the machine was started.
pub(crate) fn began(pid: u32) -> Option<u64> {
    stat(pid).map(|stat| stat.process.began)
}

/// Now, on the clock of [`Process::began`].
pub(crate) fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    let ticks = rustix::param::clock_ticks_per_second();
    seconds * ticks + nanos * ticks / 1_000_000_000
}

/// Moves the descendants of what is in `found` there too.
fn gather(found: &mut Vec<Process>, mut others: Vec<Process>) {
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.pid) {
        let (children, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(|process| process.parent == parent);
        others = rest;
        found.extend(children);
        next += 1;
    }
    found.sort_by_key(|process| process.pid);
}

/// A process and its descendants.
pub(crate) fn family(pid: u32) -> Vec<Process> {
    let living = all().filter(|stat| !stat.is_dead()).map(|stat| stat.process);
    let (mut found, others) = living.partition(|process| process.pid == pid);
    gather(&mut found, others);
    found
}

/// Children that came to us when their parent ended, in a group that is not ours. Leaders of instances are among them.
pub(crate) fn strays() -> Vec<Process> {
    strays_among(&all().collect::<Vec<_>>())
}

fn strays_among(all: &[Stat]) -> Vec<Process> {
    let own = std::process::id();
    let own_group = stat(own).map_or(own, |stat| stat.group);
    let adopted = all.iter().filter(|stat| stat.process.parent == own && stat.group != own_group);
    let (dead, living): (Vec<&Stat>, Vec<&Stat>) = adopted.partition(|stat| stat.is_dead());
    // Whoever takes orphans in has to bury them too.
    super::roll::bury(dead.into_iter().map(|stat| stat.process.pid));
    living.into_iter().map(|stat| stat.process.clone()).collect()
}

/// Whether anything of a group is left, dead or alive.
#[cfg(test)]
pub(crate) fn is_group_left(group: u32) -> bool {
    all().any(|stat| stat.group == group)
}

/// The pipes that stdout and stderr of a process are.
pub(crate) fn pipes(pid: u32) -> Vec<u64> {
    let ends = ["fd/1", "fd/2"].iter().filter_map(|fd| fs::read_link(path(pid, fd)).ok());
    ends.filter_map(|end| end.to_str()?.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()).collect()
}

fn marked(pid: u32, name: &str, mark: &str) -> bool {
    let Ok(environ) = fs::read(path(pid, "environ")) else { return false };
    let wanted = format!("{name}={mark}");
    environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

/// All living processes of the group of `leader`, or with the mark in their environment, what descends from them (a daemon
/// may have left the group and written over its environment, as nginx does), and strays. Zombies are not counted.
pub(crate) fn of_instance(leader: u32, name: &str, mark: &str) -> Vec<Process> {
    let (mut found, mut others) = (Vec::new(), Vec::new());
    let all: Vec<Stat> = all().collect();
    let strays = super::roll::strays_of(mark, &strays_among(&all));
    for stat in all.into_iter().filter(|stat| !stat.is_dead()) {
        let ours = stat.group == leader || marked(stat.process.pid, name, mark);
        if ours { found.push(stat.process) } else { others.push(stat.process) }
    }
    others.retain(|process| !strays.contains(process));
    found.extend(strays.into_iter().filter(|stray| !found.contains(stray)).collect::<Vec<_>>());
    gather(&mut found, others);
    found
}

/// TCP ports that these processes listen on.
pub(crate) fn listening_ports(pids: &[u32]) -> Vec<u16> {
    let sockets: HashSet<String> = pids
        .iter()
        .filter_map(|pid| fs::read_dir(path(*pid, "fd")).ok())
        .flat_map(Iterator::flatten)
        .filter_map(|entry| fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let mut ports: Vec<u16> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .skip(1)
                .filter_map(|line| {
                    let fields: Vec<&str> = line.split_whitespace().collect();
                    // State 0A is LISTEN.
                    let listens = *fields.get(3)? == "0A" && sockets.contains(&format!("socket:[{}]", fields.get(9)?));
                    let port = fields.get(1)?.rsplit(':').next()?;
                    listens.then(|| u16::from_str_radix(port, 16).ok())?
                })
                .collect::<Vec<_>>()
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Open file descriptors of all these processes.
pub(crate) fn open_files(pids: &[u32]) -> usize {
    pids.iter().filter_map(|pid| fs::read_dir(path(*pid, "fd")).ok()).map(Iterator::count).sum()
}

/// A field of `/proc/PID/status`.
pub(crate) fn status(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(path(pid, "status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}

/// Resident memory of all these processes, in bytes.
pub(crate) fn resident(pids: &[u32]) -> u64 {
    let kilobytes = |pid: &u32| status(*pid, "VmRSS")?.split_whitespace().next()?.parse::<u64>().ok();
    pids.iter().filter_map(kilobytes).sum::<u64>() * 1024
}

/// The threads of a process, and for how long each has run, and has waited while it could have run. Nothing where the kernel
/// does not count that.
pub(crate) fn threads(pid: u32) -> Vec<(u32, Duration, Duration)> {
    let tasks = fs::read_dir(path(pid, "task")).into_iter().flatten().flatten();
    let counted = tasks.filter_map(|task| {
        let number = task.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let mut nanos = text.split_whitespace().map(str::parse).map_while(Result::ok).map(Duration::from_nanos);
        Some((number, nanos.next()?, nanos.next()?))
    });
    counted.collect()
}

/// For how long the processors of this machine have worked, all together.
pub(crate) fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user, nice, system, (idle, iowait,) irq, softirq
    let ticks = fields.take(7).enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
    let ticks: u64 = ticks.filter_map(|(_, ticks)| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// Direct children.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    all().filter(|stat| stat.process.parent == parent).map(|stat| stat.process.pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listening_port_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening_ports(&[std::process::id()]).contains(&port));
    }

    #[test]
    fn a_process_is_named_by_its_pid_and_its_beginning() {
        let own = stat(std::process::id()).unwrap().process;
        assert!(own.lives() && own.began <= now());
        assert!(!Process { began: own.began + 1, ..own.clone() }.lives(), "another with the same number");
    }

    #[test]
    fn our_own_threads_have_run() {
        let threads = threads(std::process::id());
        assert!(!threads.is_empty());
        assert!(busy() > Duration::from_secs(1));
    }

    #[test]
    fn our_own_files_and_memory_are_counted() {
        let own = [std::process::id()];
        assert!(open_files(&own) >= 3);
        assert!(resident(&own) > 100_000);
    }
}
