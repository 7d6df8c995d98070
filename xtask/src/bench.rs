//! `cargo xtask bench`: CPU time a request, against peers that do the same work.

mod breaker;
mod ceilings;
mod checks;
mod latency;
mod library;
mod load;
mod peer;
mod report;
mod start;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use self::load::Load;
use self::peer::{Kind, Peer, Setup};
use self::report::{Report, Round};
use crate::{command, prerequisites};

/// What is measured, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measures this scenario alone; may be given more than once.
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// How many turns each peer takes; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long a turn is.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Holds the committed ceilings instead: instructions a request, size of the binary, memory when idle.
    #[arg(long)]
    ceilings: bool,
}

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// 100 bytes of JSON, 64 kept connections.
    Small,
    /// 16 KiB, 64 kept connections.
    Medium,
    /// 1 MiB, 64 kept connections.
    Large,
    /// 100 bytes, a new connection for every request.
    New,
    /// 100 bytes, 1,000 kept connections.
    Many,
    /// 100 bytes at half of our capacity, by an open model.
    Latency,
    /// 100 bytes, 64 kept connections, with one worker of ours and with two.
    Workers,
    /// From the start of the process to the first answer of the program behind it.
    Start,
    /// The library's layers in the process, beside those that people put together.
    Library,
    /// What checks of dependencies cost, and what probes withstand.
    Checks,
    /// The answer of an open breaker of the library, in nanoseconds.
    Breaker,
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "small: 100 bytes, 64 kept connections",
            Self::Medium => "medium: 16 KiB, 64 kept connections",
            Self::Large => "large: 1 MiB, 64 kept connections",
            Self::New => "new: 100 bytes, a connection for every request",
            Self::Many => "many: 100 bytes, 1,000 kept connections",
            Self::Latency => "latency: 100 bytes, at half of our capacity",
            Self::Workers => "workers: 100 bytes, one worker of ours and two",
            Self::Start => "start: to the first answer of the program",
            Self::Library => "library: a call in the process, 100 bytes",
            Self::Checks => "checks: a thousand of them, probes under load, and an outage",
            Self::Breaker => "breaker: nanoseconds a call",
        }
    }

    /// `None` where it is not the cost under a closed load that is measured.
    fn load(self, seconds: u32) -> Option<Load> {
        let load = |path, connections| Load { path, connections, keep: true, seconds };
        match self {
            Self::Small | Self::Workers => Some(load("/", 64)),
            Self::Medium => Some(load("/files/16KiB", 64)),
            Self::Large => Some(load("/files/1MiB", 64)),
            Self::New => Some(Load { keep: false, ..load("/", 64) }),
            Self::Many => Some(load("/", 1000)),
            Self::Latency | Self::Start | Self::Checks | Self::Breaker | Self::Library => None,
        }
    }
}

/// Measures, and prints a table a scenario.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.rounds == 0 || options.seconds == 0 {
        bail!("--rounds and --seconds must be at least 1");
    }
    // These stand in front of nothing, and need neither the binary nor its peers.
    if !options.ceilings && options.only == [Scenario::Library] {
        return library::measure(Scenario::Library.name(), options.rounds);
    }
    if options.only == [Scenario::Breaker] {
        // It stands in front of nothing, and needs no peers.
        return breaker::measure(Scenario::Breaker.name());
    }
    let binary = release()?;
    if options.ceilings {
        return ceilings::hold(&binary);
    }
    for program in ["wrk", "nginx", "haproxy", "taskset"] {
        if prerequisites::find(program).is_none() {
            bail!("{program} is missing: `apt-get install wrk nginx haproxy util-linux`");
        }
    }
    let directory = tempfile::tempdir().context("cannot make a directory for the peers")?;
    let setup = Setup::new(&binary, directory.path())?;
    let origin = Peer::start(Kind::Origin, &setup)?;
    let scenarios = if options.only.is_empty() { Scenario::value_variants() } else { &options.only };
    for scenario in scenarios {
        match scenario.load(options.seconds) {
            Some(load) => measure(*scenario, load, options.rounds, &setup)?,
            None if *scenario == Scenario::Checks => {
                checks::measure(scenario.name(), options.seconds, &origin, &setup)?;
            }
            None if *scenario == Scenario::Latency => {
                latency::measure(scenario.name(), options.rounds, options.seconds, &setup)?;
            }
            None if *scenario == Scenario::Library => library::measure(scenario.name(), options.rounds)?,
            None if *scenario == Scenario::Breaker => breaker::measure(scenario.name())?,
            None => start::measure(scenario.name(), options.rounds, &setup)?,
        }
    }
    Ok(())
}

/// Every peer is started anew for each scenario, so that none pays for what another scenario left in its memory.
fn measure(scenario: Scenario, load: Load, rounds: u32, setup: &Setup) -> Result<()> {
    let kinds = if scenario == Scenario::Workers { Kind::WORKERS } else { Kind::PEERS };
    let peers = kinds.iter().map(|kind| Peer::start(*kind, setup)).collect::<Result<Vec<_>>>()?;
    let mut report = Report::new(scenario.name(), &peers);
    for _ in 0..rounds {
        for (index, peer) in peers.iter().enumerate() {
            let before = peer.cpu();
            let answered = load.run(peer.port())?;
            let spent = peer.cpu().saturating_sub(before);
            report.add(index, Round { spent, answered, resident: peer.peak() });
        }
    }
    println!("{report}");
    Ok(())
}

/// Holds the committed ceilings.
pub(crate) fn hold_ceilings() -> Result<()> {
    ceilings::hold(&release()?)
}

/// The release build, which is what users run.
fn release() -> Result<PathBuf> {
    built(&["--package", "seaworthy-cli"])
}

/// The program that `what` names, built as for users.
fn built(what: &[&str]) -> Result<PathBuf> {
    let build = ["build", "--release", "--locked", "--message-format", "json-render-diagnostics"];
    let messages = command::read(command::cargo().args(build).args(what))?;
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(|path| Path::new(path).to_owned())
    });
    executable.context("cargo built no executable")
}
