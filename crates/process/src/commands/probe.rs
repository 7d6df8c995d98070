//! `seaworthy probe`: asks one probe, for the `HEALTHCHECK` of an image without a shell.

mod exchange;
mod target;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use self::exchange::{Place, Question, ask};
pub(crate) use self::target::ProbeTarget;
use self::target::VERDICTS;
use super::find;
use super::output::Output;
use crate::cli::Probe;
use crate::config::{Address, Bind, Kind as _, Sources};
use crate::control::{self, Command, Reply};
use crate::exit_code::ExitCode;

pub(super) fn probe(probe: &Probe, output: Output) -> ExitCode {
    let deadline = Instant::now() + probe.timeout;
    let question = match question(probe) {
        Ok(question) => question,
        Err(message) => return output.error(&message, ExitCode::Failed),
    };
    match ask(&question, deadline) {
        Ok(verdict) => {
            let word = verdict.word.as_deref().map(|word| format!(" {word}")).unwrap_or_default();
            let line = format!("{}:{word} ({})", probe.target, verdict.status);
            // Docker keeps the line beside the state of the container, good or bad.
            let printed = output.done(&line);
            if verdict.is_good() { printed } else { ExitCode::Failed }
        }
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    format!("no answer within {:?}", probe.timeout)
                }
                io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
                _ => error.to_string(),
            };
            output.error(&format!("{} at {}: {why}", probe.target, question.place), ExitCode::Failed)
        }
    }
}

fn question(probe: &Probe) -> Result<Question, String> {
    let path = match &probe.target {
        ProbeTarget::Url { addresses, host, path, .. } => {
            return Ok(Question { place: Place::Tcp(addresses.clone()), host: host.clone(), path: path.clone() });
        }
        ProbeTarget::Verdict(verdict) => {
            let path = VERDICTS.iter().find(|(known, _)| known == verdict).map_or("/livez", |(_, path)| path);
            format!("{path}?format=default")
        }
        ProbeTarget::Path(path) => path.clone(),
    };
    let admin = if let Some(text) = &probe.admin {
        let bind = Bind::read(&text.as_str().into()).map_err(|complaint| format!("--admin {text} {complaint}"))?;
        bind.resolve(Ipv4Addr::LOCALHOST.into())
    } else {
        let found = find::find(&Sources::of_process(probe.reach.command_line()));
        found.admin.ok_or("the ops listener is off (admin = \"off\"): name a URL to probe instead")?
    };
    let place = match admin {
        Address::Unix(path) => Place::Unix(path),
        Address::Tcp(address) if address.port() == 0 => bound(probe)?,
        Address::Tcp(address) => Place::Tcp(vec![reachable(address)]),
    };
    Ok(Question { place, host: "localhost".to_owned(), path })
}

/// Where the ops listener ended up when it took a free port: the running process knows.
fn bound(probe: &Probe) -> Result<Place, String> {
    let how = "the ops listener is on a port that was picked at the start; name it with --admin";
    let path = probe.reach.control().map_err(|_| how.to_owned())?;
    let reply = control::ask(&path, &Command::Status, probe.timeout).map_err(|error| format!("{how} ({error})"))?;
    let Reply::Status(status) = reply else { return Err(how.to_owned()) };
    let address = status.admin.and_then(|admin| admin.parse().ok()).ok_or(how)?;
    Ok(Place::Tcp(vec![reachable(address)]))
}

/// What is bound to all addresses is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
