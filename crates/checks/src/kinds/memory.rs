//! `memory`: how much of what we may use is in use, of the control group or of the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::probe::{Failure, Probe, Report, Running};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// More in use is a warning. In percent; default 90.
    pub warn_percent: u8,
}

/// Reads the kernel's own accounts.
#[derive(Debug)]
pub(super) struct Memory {
    settings: Settings,
    /// `/`, other than in tests.
    root: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Usage {
    used: u64,
    total: u64,
}

impl Memory {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, root: PathBuf::from("/") }
    }

    fn look(&self) -> Result<Report, Failure> {
        let machine = self.machine();
        let machine =
            machine.ok_or_else(|| Failure::protocol("/proc/meminfo does not say how much memory there is"))?;
        // The tightest: the one that kills first.
        let group = self.group().filter(|group| group.total < machine.total);
        let (usage, of) = group.map_or((machine, "machine"), |group| (group, "control group"));
        let percent = if usage.total == 0 { 0.0 } else { usage.used as f64 / usage.total as f64 * 100.0 };
        let mut report = Report::default()
            .measure("health_memory_used_bytes", usage.used as f64)
            .measure("health_memory_total_bytes", usage.total as f64)
            .measure("health_memory_used_percent", (percent * 10.0).round() / 10.0);
        if percent > f64::from(self.settings.warn_percent) {
            report.warn(format!("{percent:.0}% of the memory of the {of} is in use"));
        }
        Ok(report)
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    fn machine(&self) -> Option<Usage> {
        let text = self.read("proc/meminfo")?;
        let kibibytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
        };
        let total = kibibytes("MemTotal")?;
        Some(Usage { used: total.saturating_sub(kibibytes("MemAvailable")?), total })
    }

    /// The tightest limit of our group and of those around it. Version 2, else version 1.
    fn group(&self) -> Option<Usage> {
        let groups = self.read("proc/self/cgroup").unwrap_or_default();
        let path_of = |controller: &str| {
            groups.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (controllers, path) = rest.split_once(':')?;
                controllers.split(',').any(|known| known == controller).then(|| path.trim_start_matches('/').to_owned())
            })
        };
        let second = self.tightest("sys/fs/cgroup", &path_of("").unwrap_or_default(), &SECOND);
        second.or_else(|| self.tightest("sys/fs/cgroup/memory", &path_of("memory").unwrap_or_default(), &FIRST))
    }

    fn tightest(&self, mount: &str, path: &str, files: &Files) -> Option<Usage> {
        // Inside a container the path may be the host's, and is not there: then the mount itself is our group.
        let around = Path::new(path).ancestors();
        around.filter_map(|group| self.usage(&Path::new(mount).join(group), files)).min_by_key(|usage| usage.total)
    }

    fn usage(&self, group: &Path, files: &Files) -> Option<Usage> {
        // `max` is no number, and no limit.
        let total = self.read(group.join(files.limit))?.trim().parse().ok()?;
        let used: u64 = self.read(group.join(files.usage))?.trim().parse().ok()?;
        let stat = self.read(group.join("memory.stat")).unwrap_or_default();
        let inactive = stat.lines().find_map(|line| line.strip_prefix(files.inactive)?.trim().parse().ok());
        // Page cache that nobody has used for a while is given up before anybody is killed.
        Some(Usage { used: used.saturating_sub(inactive.unwrap_or(0)), total })
    }
}

struct Files {
    limit: &'static str,
    usage: &'static str,
    inactive: &'static str,
}

const SECOND: Files = Files { limit: "memory.max", usage: "memory.current", inactive: "inactive_file " };
const FIRST: Files =
    Files { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", inactive: "total_inactive_file " };

impl Probe for Memory {
    fn run(&mut self, _: Duration) -> Running<'_> {
        let result = self.look();
        Box::pin(std::future::ready(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Memory) {
        let root = tempfile::tempdir().unwrap();
        let meminfo = ("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   400 kB\n");
        for (path, text) in [meminfo].iter().chain(files) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let memory = Memory { settings: Settings { warn_percent: 90 }, root: root.path().to_owned() };
        (root, memory)
    }

    fn measured(memory: &Memory) -> Vec<f64> {
        memory.look().unwrap().measures.iter().map(|measure| measure.value).collect()
    }

    #[test]
    fn without_a_limit_the_machine_counts() {
        let (_root, memory) =
            machine(&[("sys/fs/cgroup/memory.max", "max\n"), ("sys/fs/cgroup/memory.current", "5\n")]);
        assert_eq!(measured(&memory), [614_400.0, 1_024_000.0, 60.0]);
    }

    #[test]
    fn the_tightest_group_counts_without_its_idle_cache() {
        let (_root, memory) = machine(&[
            ("proc/self/cgroup", "0::/pod/app\n"),
            ("sys/fs/cgroup/pod/memory.max", "1000\n"),
            ("sys/fs/cgroup/pod/memory.current", "980\n"),
            ("sys/fs/cgroup/pod/memory.stat", "anon 1\ninactive_file 30\n"),
            ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/app/memory.current", "900\n"),
        ]);
        assert_eq!(measured(&memory), [950.0, 1000.0, 95.0]);
        let warning = memory.look().unwrap().warning;
        assert_eq!(warning.as_deref(), Some("95% of the memory of the control group is in use"));
    }

    #[test]
    fn the_first_version_is_read_too() {
        let (_root, memory) = machine(&[
            ("proc/self/cgroup", "9:memory:/docker/abc\n1:name=systemd:/x\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "500\n"),
            ("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 100\n"),
        ]);
        assert_eq!(measured(&memory), [400.0, 2000.0, 20.0]);
    }

    #[test]
    fn this_machine_has_memory() {
        let measured = measured(&Memory::new(Settings { warn_percent: 100 }));
        assert!(measured[0] > 0.0 && measured[1] >= measured[0], "{measured:?}");
    }

    #[test]
    fn fuzz_whatever_the_kernel_says_is_judged() {
        const FILES: [&str; 5] = [
            "proc/meminfo",
            "proc/self/cgroup",
            "sys/fs/cgroup/memory.max",
            "sys/fs/cgroup/memory.current",
            "sys/fs/cgroup/memory.stat",
        ];
        let (root, memory) = machine(&FILES.map(|file| (file, "")));
        seaworthy_fuzz::drive("cgroup", |text| {
            // A NUL is between two files.
            for (file, text) in FILES.iter().zip(text.split(|byte| *byte == 0)) {
                std::fs::write(root.path().join(file), text).unwrap();
            }
            for measure in memory.look().map(|report| report.measures).unwrap_or_default() {
                assert!(measure.value.is_finite(), "{measure:?}");
            }
        });
    }
}
