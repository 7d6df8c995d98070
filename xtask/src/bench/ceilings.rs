//! What a change may not exceed: instructions a request, the size of the binary, memory when idle. None of them drifts
//! with the machine, so that they can be held where tests run.
//!
//! Instructions are counted by callgrind: the same binary serves the same script twice, with a few requests and with
//! many; start and stop cost the same both times, so the difference is what the requests cost.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::peer::{Kind, Peer, Setup, answers, free_port};
use crate::{command, prerequisites};

const CEILINGS: &str = "xtask/bench/ceilings.toml";
const FEW: u32 = 500;
const MANY: u32 = 3500;
const BODY: &str =
    r#"{"id":7,"title":"write it down","done":false,"tags":["one","two"],"note":"some 100 bytes of JSON"}"#;

/// Fails if the binary exceeds one of the committed ceilings.
pub(super) fn hold(binary: &Path) -> Result<()> {
    if prerequisites::find("valgrind").is_none() {
        bail!("valgrind is missing: `apt-get install valgrind`");
    }
    let text = fs::read_to_string(command::root().join(CEILINGS)).with_context(|| format!("cannot read {CEILINGS}"))?;
    let ceilings: toml::Table = text.parse().with_context(|| format!("{CEILINGS} is not TOML"))?;
    let few = counted(binary, FEW)?;
    let many = counted(binary, MANY)?;
    let measured = [
        ("instructions", many.saturating_sub(few) / u64::from(MANY - FEW)),
        ("binary", fs::metadata(binary)?.len()),
        ("idle", idle(binary)?),
    ];
    let mut exceeded = Vec::new();
    for (name, value) in measured {
        let ceiling =
            ceilings.get(name).and_then(toml::Value::as_integer).and_then(|ceiling| u64::try_from(ceiling).ok());
        let ceiling = ceiling.with_context(|| format!("{CEILINGS} has no number {name}"))?;
        println!("{name:<13} {value:>10}, at most {ceiling:>10}");
        if value > ceiling {
            exceeded.push(name);
        }
    }
    if !exceeded.is_empty() {
        bail!("{}: make it smaller, or raise the ceiling in {CEILINGS} and say why", exceeded.join(" and "));
    }
    Ok(())
}

/// Resident memory before any load, in bytes.
fn idle(binary: &Path) -> Result<u64> {
    let directory = tempfile::tempdir()?;
    let setup = Setup::new(binary, directory.path())?;
    let _origin = Peer::start(Kind::Origin, &setup)?;
    Ok(Peer::start(Kind::Seaworthy, &setup)?.idle)
}

/// All instructions of a run that serves `requests`.
fn counted(binary: &Path, requests: u32) -> Result<u64> {
    let directory = tempfile::tempdir()?;
    let origin = TcpListener::bind("127.0.0.1:0")?;
    let (port, admin) = (free_port()?, free_port()?);
    let template = fs::read_to_string(command::root().join("xtask/bench/seaworthy.toml"))?;
    let values = [("PORT", port), ("ADMIN", admin), ("ORIGIN", origin.local_addr()?.port()), ("WORKERS", 1)];
    let config =
        values.iter().fold(template, |text, (name, port)| text.replace(&format!("@{name}@"), &port.to_string()));
    let (file, out) = (directory.path().join("seaworthy.toml"), directory.path().join("callgrind"));
    fs::write(&file, config)?;
    // Ends with the process: it serves whoever connects.
    thread::spawn(move || serve(&origin));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(binary).args(["run", "--config"]).arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = valgrind.spawn().context("cannot start valgrind")?;
    let asked = wait(&mut child, port).and_then(|()| ask(port, requests));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process has a number")?;
    kill_process(pid, Signal::TERM)?;
    let status = child.wait()?;
    asked?;
    if !status.success() {
        bail!("seaworthy ended with {status} under valgrind");
    }
    let profile = fs::read_to_string(&out).context("callgrind wrote no profile")?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    total.and_then(|total| total.trim().parse().ok()).context("the profile of callgrind has no total")
}

fn wait(child: &mut std::process::Child, port: u16) -> Result<()> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !answers(port) {
        if let Some(status) = child.try_wait()? {
            bail!("seaworthy ended with {status} under valgrind");
        }
        if Instant::now() > deadline {
            bail!("seaworthy did not answer within a minute under valgrind");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Sends the same request again and again on one connection.
fn ask(port: u16, requests: u32) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    for _ in 0..requests {
        stream.write_all(b"GET /items/7?page=2 HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench/1\r\nAccept: application/json\r\n\r\n")?;
        let (status, length) = head(&mut reader)?;
        if !status.starts_with("HTTP/1.1 200") {
            bail!("the answer was {status:?}");
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    }
    Ok(())
}

/// An origin that costs nothing worth measuring, since it is not in the measured process.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nKeep-Alive: timeout=60\r\n\r\n{BODY}",
                BODY.len()
            );
            let Ok(mut writer) = stream.try_clone() else { return };
            let mut reader = BufReader::new(stream);
            while head(&mut reader).is_ok_and(|(first, _)| !first.is_empty()) {
                if writer.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        });
    }
}

/// Reads a head: its first line, and the length of the body that follows.
fn head(reader: &mut impl std::io::BufRead) -> std::io::Result<(String, u64)> {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    Ok((first, length))
}
