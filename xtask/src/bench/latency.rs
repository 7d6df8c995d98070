//! How long answers take at a fixed rate below saturation, by an open model: requests leave on schedule, and a latency counts
//! from the time at which its request was due. A closed loop, as wrk is, would ask less while a peer is stuck.
//!
//! The rate is the same for all: half of what we answer at most. The generator is the drill's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::load::{Load, duration};
use super::peer::{self, Kind, Peer, Setup};
use crate::command;

/// Connections that the generator may have.
const CONNECTIONS: u32 = 64;

/// What one turn showed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Turn {
    median: Duration,
    p99: Duration,
    p999: Duration,
    /// How late the generator itself was, of a thousand requests the last one.
    late: Duration,
    lost: u64,
}

/// Prints a row a peer.
pub(super) fn measure(title: &str, rounds: u32, seconds: u32, setup: &Setup) -> Result<()> {
    let generator = generator()?;
    let peers = Kind::PEERS.iter().map(|kind| Peer::start(*kind, setup)).collect::<Result<Vec<_>>>()?;
    let ours = peers.iter().find(|peer| peer.kind == Kind::Seaworthy).context("we take part")?;
    let capacity = Load { path: "/", connections: CONNECTIONS, keep: true, seconds }.run(ours.port())?.rate;
    let rate = (capacity / 2.0).round();
    let mut turns: Vec<Vec<Turn>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (peer, turns) in peers.iter().zip(&mut turns) {
            turns.push(turn(&generator, peer.port(), rate, seconds)?);
        }
    }
    println!("\n{title}: {rate} requests a second, of {capacity:.0}");
    println!("{:<10} {:>9} {:>9} {:>9} {:>14} {:>6}", "", "p50 µs", "p99 µs", "p99.9 µs", "generator µs", "lost");
    for (peer, turns) in peers.iter().zip(turns) {
        let median = |of: fn(&Turn) -> Duration| {
            let mut times: Vec<Duration> = turns.iter().map(of).collect();
            times.sort_unstable();
            times.get(times.len() / 2).map_or(0, Duration::as_micros)
        };
        println!(
            "{:<10} {:>9} {:>9} {:>9} {:>14} {:>6}",
            peer.kind.name(),
            median(|turn| turn.median),
            median(|turn| turn.p99),
            median(|turn| turn.p999),
            median(|turn| turn.late),
            turns.iter().map(|turn| turn.lost).sum::<u64>(),
        );
    }
    Ok(())
}

fn turn(generator: &Path, port: u16, rate: f64, seconds: u32) -> Result<Turn> {
    let mut load = Command::new("taskset");
    load.args(["--cpu-list", peer::load_core()]).arg(generator);
    load.arg(format!("127.0.0.1:{port}")).args([
        "/",
        &rate.to_string(),
        &seconds.to_string(),
        &CONNECTIONS.to_string(),
    ]);
    let said = command::read(&mut load)?;
    parse(&said).with_context(|| format!("the generator said what is not understood:\n{said}"))
}

fn parse(said: &str) -> Option<Turn> {
    let words_after = |label: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(label))?;
        Some(line.split_whitespace().collect::<Vec<_>>())
    };
    let time = |label: &str, quantile: &str| {
        let words = words_after(label)?;
        let at = words.iter().position(|word| *word == quantile)?;
        duration(words.get(at + 1)?)
    };
    let due = words_after("due")?;
    let lost = due.iter().position(|word| *word == "lost").and_then(|at| due.get(at + 1)?.parse().ok())?;
    let latency = |quantile| time("latency:", quantile);
    let late = time("schedule error:", "p99.9")?;
    Some(Turn { median: latency("p50")?, p99: latency("p99")?, p999: latency("p99.9")?, late, lost })
}

/// The drill's load generator, as a program of its own that can be kept on a core.
fn generator() -> Result<PathBuf> {
    super::built(&["--package", "seaworthy-drill", "--example", "load"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_generator_says_is_understood() {
        let said = "due 1000 ok 999 lost 1 unsent 0\noutcomes {\"ok\": 999} in 1.00s\n\
                    latency: p50 81.5µs p99 1.2ms p99.9 3ms max 1.01s\n\
                    schedule error: p50 11µs p99 90µs p99.9 200µs max 1ms\n";
        let micros = Duration::from_micros;
        let turn = Turn { median: micros(81), p99: micros(1200), p999: micros(3000), late: micros(200), lost: 1 };
        assert_eq!(parse(said).map(|said| Turn { median: micros(81), ..said }), Some(turn));
        assert_eq!(parse("due 1000"), None);
    }
}
