//! What processes use, read from /proc when somebody asks (proc(5)).

use std::fs;
use std::time::Duration;

use seaworthy_core::metric::Exposition;
use seaworthy_core::metric::Kind::{Counter, Gauge};

/// What one process uses, or several together.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Usage {
    /// User and system time, of its children that were waited for too: they were its own doing.
    pub cpu: Duration,
    /// The part of it that the kernel took.
    pub system: Duration,
    /// Memory that is there, in bytes.
    pub resident: u64,
    /// Memory that was asked for, in bytes.
    pub virtual_size: u64,
    /// How many threads it has.
    pub threads: u64,
    /// Open files; of another user's process nobody but root can count them.
    pub files: u64,
    /// Since the machine started.
    pub started: Duration,
}

/// Writes what this process uses; nothing where nobody says.
pub(super) fn write(page: &mut Exposition) {
    let Some(usage) = Usage::of_self() else { return };
    page.family("process_cpu_seconds_total", Counter, "CPU time of this process, user and system.")
        .sample(&[], usage.cpu);
    page.family("process_resident_memory_bytes", Gauge, "Resident memory of this process.").sample(&[], usage.resident);
    page.family("process_virtual_memory_bytes", Gauge, "Address space of this process.")
        .sample(&[], usage.virtual_size);
    page.family("process_open_fds", Gauge, "Open files of this process.").sample(&[], usage.files);
    if let Some(most) = most_files() {
        page.family("process_max_fds", Gauge, "How many files this process may open.").sample(&[], most);
    }
    page.family("process_threads", Gauge, "Threads of this process.").sample(&[], usage.threads);
    if let Some(boot) = boot() {
        page.family("process_start_time_seconds", Gauge, "When this process started, since 1970.")
            .sample(&[], boot + usage.started);
    }
}

/// Writes how much memory is used where the service is the only process.
pub(super) fn write_memory(page: &mut Exposition) {
    if let Some(usage) = Usage::of_self() {
        page.family("memory_usage_bytes", Gauge, "Resident memory of this process.").sample(&[], usage.resident);
    }
}

impl Usage {
    /// What this process uses; `None` where `/proc` does not say.
    pub fn of_self() -> Option<Self> {
        Self::of("self", false)
    }

    /// The sum over those of `pids` that live.
    pub fn of_tree(pids: &[u32]) -> Self {
        let mut sum = Self::default();
        for usage in pids.iter().filter_map(|pid| Self::of(&pid.to_string(), true)) {
            sum.cpu += usage.cpu;
            sum.system += usage.system;
            sum.resident += usage.resident;
            sum.virtual_size += usage.virtual_size;
            sum.threads += usage.threads;
            sum.files += usage.files;
        }
        sum
    }

    /// With the time of reaped children, the sum over a tree does not fall when one of its processes ends.
    fn of(process: &str, with_children: bool) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let files = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
        Self::parse(&stat, with_children, files as u64)
    }

    fn parse(stat: &str, with_children: bool, files: u64) -> Option<Self> {
        // The name stands in parentheses and may hold some itself.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // Numbered from 3, as the manual does.
        let field = |number: usize| fields.get(number - 3)?.parse::<i64>().ok().and_then(|value| value.try_into().ok());
        let (mut user, mut system) = (ticks(field(14)?), ticks(field(15)?));
        if with_children {
            user += ticks(field(16)?);
            system += ticks(field(17)?);
        }
        Some(Self {
            cpu: user + system,
            system,
            threads: field(20)?,
            started: ticks(field(22)?),
            virtual_size: field(23)?,
            resident: field(24)? * rustix::param::page_size() as u64,
            files,
        })
    }
}

/// When the machine started, since 1970.
pub fn boot() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// How many files this process may open; `None` for as many as it likes.
pub fn most_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

fn ticks(ticks: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_secs(ticks / per_second)
        + Duration::from_secs(ticks % per_second) / u32::try_from(per_second).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let fields: Vec<String> = (4..=52).map(|number| (number * 100).to_string()).collect();
        let usage = Usage::parse(&format!("7 (a) b (c) S {}", fields.join(" ")), true, 3).expect("parsed");
        let hertz = rustix::param::clock_ticks_per_second() as f64;
        assert!((usage.cpu.as_secs_f64() - 6200.0 / hertz).abs() < 1e-6, "{usage:?}");
        assert_eq!((usage.threads, usage.virtual_size, usage.files), (2000, 2300, 3));
        assert_eq!(usage.resident, 2400 * rustix::param::page_size() as u64);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of_self().expect("/proc is mounted");
        assert!(usage.resident > 0 && usage.threads > 0 && usage.files > 2, "{usage:?}");
        assert_eq!(Usage::of_tree(&[std::process::id()]).started, Duration::ZERO);
        assert!(Usage::of_tree(&[std::process::id()]).resident > 0);
        assert_eq!(Usage::of_tree(&[0]), Usage::default(), "no such process");
    }

    #[test]
    fn the_machine_started_in_the_past() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        let boot = boot().expect("/proc is mounted");
        assert!(boot > Duration::from_secs(1_000_000_000) && boot < now);
    }
}
