//! What shapes show and a probe has no time for: processes, memory, and what the program says of itself. Looked at in the
//! background, and only while some shape uses it.

mod ask;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use seaworthy::core::event::{Event, Sink};
use seaworthy::metrics::Usage;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config;
use crate::gateway::Upstream;
use crate::shape::{Process, Sample, System, Uses};

/// The program is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the last sample is. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Arc<RwLock<Arc<Sample>>>);

impl Samples {
    pub(crate) fn last(&self) -> Arc<Sample> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Sample)) {
        let mut last = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut last));
    }
}

/// The processes of the program; empty where there is none.
type Pids = Arc<dyn Fn() -> Vec<u32> + Send + Sync>;

/// Takes samples. Dropping it ends that.
pub(crate) struct Sampler {
    samples: Samples,
    pids: Pids,
    sink: Arc<dyn Sink>,
    target: watch::Sender<Option<Upstream>>,
    set: Option<Set>,
    task: Option<JoinHandle<()>>,
}

/// What the configuration says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    uses: Uses,
    path: Option<String>,
    every: Duration,
}

impl Sampler {
    pub(crate) fn new(samples: Samples, pids: Pids, sink: Arc<dyn Sink>) -> Self {
        Self { samples, pids, sink, target: watch::Sender::new(None), set: None, task: None }
    }

    /// Samples what `probes` use from now on, on the runtime of the caller.
    pub(crate) fn set(&mut self, probes: &config::Probes) {
        let (uses, path, every) = (probes.uses(), probes.app_path.clone(), probes.sample_interval);
        let set = uses.any().then_some(Set { uses, path, every });
        if set == self.set {
            return;
        }
        self.set.clone_from(&set);
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.samples.change(|sample| *sample = Sample::default());
        let Some(set) = set else { return };
        if set.uses.usage {
            // At once: a shape that was tried with numbers must find some.
            let usage = usage(&self.pids);
            self.samples.change(|sample| (sample.process, sample.system) = usage);
        }
        let follow = Follow {
            set,
            samples: self.samples.clone(),
            pids: self.pids.clone(),
            sink: self.sink.clone(),
            target: self.target.subscribe(),
        };
        self.task = Some(tokio::spawn(follow.run()));
    }

    /// The program is there from now on, or nowhere.
    pub(crate) fn forward_to(&self, target: Option<&Upstream>) {
        self.target.send_replace(target.cloned());
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").field("set", &self.set).finish_non_exhaustive()
    }
}

struct Follow {
    set: Set,
    samples: Samples,
    pids: Pids,
    sink: Arc<dyn Sink>,
    target: watch::Receiver<Option<Upstream>>,
}

impl Follow {
    async fn run(mut self) {
        let mut ticks = interval(self.set.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complained = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                moved = self.target.changed() => if moved.is_err() { return },
            }
            if self.set.uses.usage {
                // The files of many processes are many: probes are answered on this thread.
                let pids = self.pids.clone();
                if let Ok(usage) = tokio::task::spawn_blocking(move || usage(&pids)).await {
                    self.samples.change(|sample| (sample.process, sample.system) = usage);
                }
            }
            if let Some(path) = self.set.path.clone().filter(|_| self.set.uses.app) {
                self.ask(&path, &mut complained).await;
            }
        }
    }

    /// What was answered before does not stand for what is not answered now.
    async fn ask(&mut self, path: &str, complained: &mut bool) {
        let Some(target) = self.target.borrow_and_update().clone() else {
            return self.samples.change(|sample| sample.app = None);
        };
        let answer = match timeout(PATIENCE, ask::json(&target, path)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        };
        match answer {
            Ok(answer) => {
                *complained = false;
                self.samples.change(|sample| sample.app = Some(Arc::new(answer)));
            }
            Err(reason) => {
                self.samples.change(|sample| sample.app = None);
                if !std::mem::replace(complained, true) {
                    let text = format!("`app` is null in the bodies of probes: {path} of the program: {reason}");
                    self.sink.emit(&Event::Warning { text });
                }
            }
        }
    }
}

fn usage(pids: &Pids) -> (Option<Process>, Option<System>) {
    let mut pids = pids();
    if pids.is_empty() {
        pids.push(std::process::id());
    }
    let usage = Usage::of_tree(&pids);
    let process = Process {
        count: pids.len(),
        rss: usage.resident,
        user: usage.cpu.saturating_sub(usage.system),
        system: usage.system,
        threads: usage.threads,
        fds: usage.files,
    };
    (Some(process), Some(system(Path::new("/proc/meminfo"))))
}

fn system(meminfo: &Path) -> System {
    let text = std::fs::read_to_string(meminfo).unwrap_or_default();
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or_default().saturating_mul(1024)
    };
    System {
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_total: bytes("MemTotal"),
        memory_available: bytes("MemAvailable"),
        memory_free: bytes("MemFree"),
    }
}

#[cfg(test)]
mod tests;
