//! Probes while everything around them is at its limit, and how soon an outage is seen.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::super::peer::{PEER_CORE, Peer, Setup, answers, free_port, load_core};
use super::subject::{probe, redis, seaworthy, wait};
use crate::command;

/// Prints how long `live` takes while the public side is saturated and a database answers nothing.
///
/// All of Seaworthy is on one core, where its probes have only what its own workers leave them. Load, origin and prober are on another
/// one, and what the prober waits for beside the load is nothing of ours: a thread that only answers, on the core of Seaworthy, is asked in
/// turn, and says what the scheduler adds there.
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
    let (subject, admin) = seaworthy(&config, setup)?;
    wait("the public side", || answers(public))?;
    let echo = echo()?;
    let mut load = Command::new("taskset");
    load.args(["--cpu-list", load_core(), "wrk", "--threads", "1", "--connections", "256", "--duration"])
        .arg(format!("{}s", seconds.max(5) + 1));
    let mut load = load.arg(format!("http://127.0.0.1:{public}/")).stdout(Stdio::null()).spawn()?;
    let (before, began) = (subject.cpu(), Instant::now());
    let within = Duration::from_secs(u64::from(seconds.max(5)));
    // Threads of its own: their core and their priority are not for what comes later.
    let times = std::thread::spawn(move || probes([admin, echo], within)).join();
    let busy = subject.cpu().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    load.wait()?;
    let times = times.map_err(|_| anyhow::anyhow!("the prober panicked"))?;
    let [mut live, mut bare] = times.map_err(|error| anyhow::anyhow!("a probe failed under load: {error}"))?;
    for (what, times) in
        [("live, saturated and black-holed", &mut live), ("a thread that only answers, there", &mut bare)]
    {
        times.sort_unstable();
        let at = |per_mille: usize| times.get(times.len() * per_mille / 1000).copied().unwrap_or_default();
        println!(
            "{what}: median {:.0?}, p99 {:.0?}, p99.9 {:.0?}, of {} probes",
            at(500),
            at(990),
            at(999),
            times.len()
        );
    }
    println!("the gateway used {:.0} % of that core meanwhile", busy * 100.0);
    Ok(())
}

/// Puts the calling thread on `core`.
fn pin(core: &str) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core.parse()?);
    Ok(sched_setaffinity(None, &cores)?)
}

/// The port of a thread on the core of Seaworthy that answers whatever it is sent, for as long as the process lives.
fn echo() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        if let Err(error) = pin(PEER_CORE) {
            eprintln!("the thread that only answers runs on any core: {error}");
        }
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 1024];
            while matches!(stream.read(&mut asked), Ok(1..)) {
                if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                    break;
                }
            }
        }
    });
    Ok(port)
}

/// Asks each in turn over a kept connection, a millisecond apart, and says how long their answers took.
fn probes(ports: [u16; 2], within: Duration) -> Result<[Vec<Duration>; 2]> {
    // Beside the load, and before it: it is the clock of this measurement.
    pin(load_core())?;
    if let Err(error) = rustix::process::setpriority_process(None, -20) {
        eprintln!("the prober has to wait beside the load: {error}");
    }
    let mut times = [Vec::new(), Vec::new()];
    let mut connections = Vec::new();
    for port in ports {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        connections.push((BufReader::new(stream.try_clone()?), stream));
    }
    let end = Instant::now() + within;
    while Instant::now() < end {
        for (times, (reader, stream)) in times.iter_mut().zip(&mut connections) {
            times.push(ask(reader, stream)?);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(times)
}

/// One probe, and how long it took.
fn ask(reader: &mut BufReader<TcpStream>, stream: &mut TcpStream) -> std::io::Result<Duration> {
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
    Ok(began.elapsed())
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
