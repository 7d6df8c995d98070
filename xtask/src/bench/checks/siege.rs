//! Probes while everything around them is at its limit, and how soon an outage is seen.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use super::super::peer::{Peer, Setup, answers, free_port};
use super::subject::{probe, redis, seaworthy, wait};
use crate::command;

/// Prints how long `live` takes while the public side is saturated and a database answers nothing.
pub(super) fn live(origin: &Peer, seconds: u32, setup: &Setup) -> Result<()> {
    // Accepts in its backlog, and never answers.
    let black_hole = TcpListener::bind("127.0.0.1:0")?;
    let public = free_port()?;
    let config = format!(
        "listen = \"127.0.0.1:{public}\"\n[connection-limit]\nper-address = 10000\n\
         [[upstream]]\nurl = \"http://127.0.0.1:{}\"\n\
         [[check]]\nname = \"database\"\nkind = \"postgres\"\nurl = \"postgres://app@{}/app\"\ninterval = \"1s\"\ntimeout = \"1s\"\n",
        origin.port(),
        black_hole.local_addr()?
    );
    let (_subject, admin) = seaworthy(&config, setup)?;
    wait("the public side", || answers(public))?;
    let mut load = Command::new("wrk");
    load.args(["--threads", "1", "--connections", "256", "--duration"]).arg(format!("{}s", seconds.max(5) + 1));
    let mut load = load.arg(format!("http://127.0.0.1:{public}/")).stdout(Stdio::null()).spawn()?;
    let mut times = probes(admin, Duration::from_secs(u64::from(seconds.max(5))));
    load.wait()?;
    let times = times.as_mut().map_err(|error| anyhow::anyhow!("a probe failed under load: {error}"))?;
    times.sort_unstable();
    let at = |per_mille: usize| times.get(times.len() * per_mille / 1000).copied().unwrap_or_default();
    println!(
        "live, saturated and black-holed: median {:.0?}, p99 {:.0?}, p99.9 {:.0?}, of {} probes",
        at(500),
        at(990),
        at(999),
        times.len()
    );
    Ok(())
}

/// Asks over one kept connection, a millisecond apart, and says how long each answer took.
fn probes(port: u16, within: Duration) -> std::io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut times, end) = (Vec::new(), Instant::now() + within);
    while Instant::now() < end {
        let began = Instant::now();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? <= 2 {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(times)
}

/// Prints how many commands Redis gets while nobody asks for probes, and while they are asked for as often as can be.
pub(super) fn no_query(seconds: u32, setup: &Setup) -> Result<()> {
    let (_redis, port) = redis(setup)?;
    let config = format!(
        "[[check]]\nname = \"cache\"\nkind = \"redis\"\nurl = \"redis://127.0.0.1:{port}\"\ninterval = \"1s\"\naffects = \"ready\"\n"
    );
    let (_subject, admin) = seaworthy(&config, setup)?;
    wait("ready", || probe(admin, "/health/ready").is_ok_and(|status| status == 200))?;
    let time = Duration::from_secs(u64::from(seconds.max(5)));
    let before = commands(port)?;
    std::thread::sleep(time);
    let calm = commands(port)? - before;
    let before = commands(port)?;
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", "16", "--duration"]).arg(format!("{}s", time.as_secs()));
    let said = command::read(wrk.arg(format!("http://127.0.0.1:{admin}/health/ready")))?;
    let hammered = commands(port)? - before;
    let rate = said.lines().find_map(|line| line.strip_prefix("Requests/sec:")).map(str::trim);
    let rate = rate.context("wrk said no rate")?;
    println!(
        "commands to Redis in {} s: {calm} without probes, {hammered} with {rate} probes a second",
        time.as_secs()
    );
    Ok(())
}

/// How many commands Redis has had.
fn commands(port: u16) -> Result<u64> {
    let mut client = Command::new("redis-cli");
    let said = command::read(client.args(["-p", &port.to_string(), "INFO", "stats"]))?;
    let total = said.lines().find_map(|line| line.trim().strip_prefix("total_commands_processed:"));
    total.and_then(|total| total.parse().ok()).context("Redis does not count its commands")
}

/// Prints how long a server that answers nothing any more is believed to be well, and one that answers again to be ill.
pub(super) fn outage(setup: &Setup) -> Result<()> {
    let (server, port) = redis(setup)?;
    let config = format!(
        "[[check]]\nname = \"cache\"\nkind = \"redis\"\nurl = \"redis://127.0.0.1:{port}\"\naffects = \"ready\"\n\
         interval = \"2s\"\ntimeout = \"1s\"\nfailure-threshold = 1\n"
    );
    let (_subject, admin) = seaworthy(&config, setup)?;
    let mut seen = Vec::new();
    for _ in 0..3 {
        wait("ready", || probe(admin, "/health/ready").is_ok_and(|status| status == 200))?;
        server.signal(Signal::STOP)?;
        let began = Instant::now();
        wait("down", || probe(admin, "/health/ready").is_ok_and(|status| status == 503))?;
        seen.push(began.elapsed());
        server.signal(Signal::CONT)?;
    }
    let Some(longest) = seen.iter().max() else { bail!("nothing was measured") };
    println!("an outage is seen after {longest:.1?} at most, with an interval of 2 s and a timeout of 1 s");
    Ok(())
}
