//! What /proc says of an instance.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

/// A process of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) name: String,
}

fn path(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// Name, state, parent and group from `/proc/PID/stat`. The name may hold spaces and brackets itself.
fn stat(pid: u32) -> Option<(String, char, u32, u32)> {
    let stat = fs::read_to_string(path(pid, "stat")).ok()?;
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let mut fields = stat.get(close + 2..)?.split(' ');
    let state = fields.next()?.chars().next()?;
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((stat.get(open + 1..close)?.to_owned(), state, parent, group))
}

fn marked(pid: u32, name: &str, mark: &str) -> bool {
    let Ok(environ) = fs::read(path(pid, "environ")) else { return false };
    let wanted = format!("{name}={mark}");
    environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

/// All living processes of the group of `leader`, or with the mark in their environment, and what descends from them: a
/// daemon may have left the group and written over its environment, as nginx does. Zombies are not counted.
pub(crate) fn of_instance(leader: u32, name: &str, mark: &str) -> Vec<Process> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for pid in pids.filter(|pid| *pid != own) {
        let Some((process, state, parent, group)) = stat(pid) else { continue };
        if matches!(state, 'Z' | 'X') {
            continue;
        }
        let ours = group == leader || marked(pid, name, mark);
        let list = if ours { &mut found } else { &mut others };
        list.push(Process { pid, parent, name: process });
    }
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process: &Process| process.pid) {
        let (children, rest) = others.into_iter().partition(|process: &Process| process.parent == parent);
        others = rest;
        found.extend::<Vec<Process>>(children);
        next += 1;
    }
    found.sort_by_key(|process| process.pid);
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

/// For how long some process has waited for a processor, ever. None where the kernel does not say.
pub(crate) fn waited_for_processor() -> Option<std::time::Duration> {
    let pressure = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let total = pressure.lines().next()?.split("total=").nth(1)?;
    Some(std::time::Duration::from_micros(total.trim().parse().ok()?))
}

/// Direct children.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, _, of, _)| of == parent)).collect()
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
    fn our_own_files_and_memory_are_counted() {
        let own = [std::process::id()];
        assert!(open_files(&own) >= 3);
        assert!(resident(&own) > 100_000);
    }
}
