//! The load: wrk, and what it says.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::peer;
use crate::command;

/// What wrk is to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) path: &'static str,
    pub(super) connections: u32,
    pub(super) keep: bool,
    pub(super) seconds: u32,
}

/// What it saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Answered {
    pub(super) requests: u64,
    pub(super) rate: f64,
    pub(super) median: Duration,
    pub(super) p99: Duration,
}

impl Load {
    /// Sends it to `port`. An answer that is no success is an error: a peer that refuses is quick, and measured wrongly.
    pub(super) fn run(self, port: u16) -> Result<Answered> {
        let mut wrk = Command::new("taskset");
        wrk.args(["--cpu-list", peer::load_core(), "wrk", "--threads", "1", "--latency"]);
        wrk.arg("--connections").arg(self.connections.to_string());
        wrk.arg("--duration").arg(format!("{}s", self.seconds));
        if !self.keep {
            wrk.args(["--header", "Connection: close"]);
        }
        wrk.arg(format!("http://127.0.0.1:{port}{}", self.path));
        let said = command::read(&mut wrk)?;
        if let Some(line) = said.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
            // A client that opens and closes connections without end meets a closed one now and then.
            if self.keep || line.contains("Non-2xx") {
                bail!("port {port}: {}", line.trim());
            }
        }
        parse(&said).with_context(|| format!("wrk said what is not understood:\n{said}"))
    }
}

fn parse(said: &str) -> Option<Answered> {
    let after = |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let requests = said.lines().find(|line| line.contains(" requests in "))?;
    Some(Answered {
        requests: requests.split_whitespace().next()?.parse().ok()?,
        rate: after("Requests/sec:")?.parse().ok()?,
        median: duration(after("50%")?)?,
        p99: duration(after("99%")?)?,
    })
}

/// `1.23ms`, as wrk and Rust write times.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(char::is_alphabetic)?;
    let number: f64 = text[..unit].parse().ok()?;
    let seconds = match &text[unit..] {
        "ns" => number / 1e9,
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_understood() {
        let said = "Running 2s test @ http://127.0.0.1:9000/\n  1 threads and 64 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.62ms  331.41us   9.54ms   94.19%\n    Req/Sec    39.70k     2.04k   41.52k    90.00%\n  Latency Distribution\n     50%    1.58ms\n     75%    1.65ms\n     90%    1.75ms\n     99%  801.00us\n  79012 requests in 2.00s, 19.44MB read\nRequests/sec:  39492.46\nTransfer/sec:      9.72MB\n";
        let (median, p99) = (Duration::from_micros(1580), Duration::from_micros(801));
        assert_eq!(parse(said), Some(Answered { requests: 79012, rate: 39492.46, median, p99 }));
        assert_eq!(parse("wrk: cannot connect"), None);
    }
}
