//! Why a program did not become ready, in words that say what to do.

use std::ffi::OsString;
use std::time::Duration;

use seaworthy_core::event::Ending;

use crate::sockets::Listening;

/// What stood in the way when we last looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Nobody accepts connections on the port.
    Refused,
    /// Somebody does who is not the program.
    Stranger { holder: Option<String> },
    /// `ready-path` was answered with this.
    Status(u16),
    /// `ready-path` was not answered.
    Silent(String),
}

/// The facts of a start that failed.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    /// `None` for a program without HTTP.
    pub(super) port: Option<u16>,
    /// Somebody configured it; else it was picked.
    pub(super) fixed: bool,
    pub(super) ready_path: Option<&'a str>,
    /// Where we listen.
    pub(super) our_ports: &'a [u16],
    pub(super) command: &'a [OsString],
}

/// Why it was not ready in time.
pub(super) fn too_late(facts: &Facts<'_>, obstacle: &Obstacle, listens: &[Listening], after: Duration) -> String {
    let Some(port) = facts.port else { return format!("it was not ready after {after:?}") };
    let path = facts.ready_path.unwrap_or("/");
    match obstacle {
        Obstacle::Status(status) => format!("GET {path} on port {port} still answered {status} after {after:?}"),
        Obstacle::Silent(why) => format!("GET {path} on port {port} was not answered after {after:?}: {why}"),
        Obstacle::Stranger { holder } => in_use(port, holder.as_deref()),
        Obstacle::Refused => elsewhere(facts, port, listens, after),
    }
}

fn elsewhere(facts: &Facts<'_>, port: u16, listens: &[Listening], after: Duration) -> String {
    if let Some(there) = listens.iter().find(|listening| listening.address.port() == port) {
        let ip = there.address.ip();
        return format!(
            "it listens on {ip} only, and is asked on 127.0.0.1: let it listen on $HOST, or on all addresses"
        );
    }
    let mut ports: Vec<u16> = listens.iter().map(|listening| listening.address.port()).collect();
    ports.dedup();
    let told = if facts.fixed { format!("app.port = {port}") } else { format!("PORT={port}") };
    match ports.first() {
        Some(first) => {
            let all = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" and ");
            let or = if facts.fixed { "" } else { "let it read PORT, put {port} among its arguments, or " };
            format!("it listens on port {all}, not on {told}: {or}set app.port = {first}")
        }
        None => format!(
            "it listened on nothing after {after:?}: let it listen on {told}, raise start.timeout, or set app.port = false \
             if it serves no HTTP"
        ),
    }
}

fn in_use(port: u16, holder: Option<&str>) -> String {
    let holder = holder.unwrap_or("another process");
    format!("port {port} is in use by {holder}: stop that, or let the program take another port with app.port")
}

/// Why it ended before it was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EarlyEnd {
    pub(super) reason: String,
    /// It will end the same way each time.
    pub(super) hopeless: bool,
}

/// `left` says whether something of it lives on.
pub(super) fn early_end(
    facts: &Facts<'_>,
    obstacle: &Obstacle,
    ending: Ending,
    uptime: Duration,
    last_lines: &[String],
    left: bool,
) -> EarlyEnd {
    let said_in_use = last_lines.iter().any(|line| {
        let line = line.to_ascii_lowercase();
        ["eaddrinuse", "address already in use", "address in use", "addrinuse"].iter().any(|sign| line.contains(sign))
    });
    if said_in_use {
        let arguments = facts.command.iter().skip(1).filter_map(|argument| argument.to_str());
        let said: Vec<&str> = last_lines.iter().map(String::as_str).chain(arguments).collect();
        let wanted = facts.our_ports.iter().find(|port| said.iter().any(|text| names_port(text, **port)));
        if let Some(wanted) = wanted {
            let reason = format!(
                "it wants port {wanted}, which is ours: let it listen on $PORT, or put {{port}} among its arguments"
            );
            return EarlyEnd { reason, hopeless: true };
        }
        if let (Obstacle::Stranger { holder }, Some(port)) = (obstacle, facts.port) {
            return EarlyEnd { reason: in_use(port, holder.as_deref()), hopeless: false };
        }
    }
    if ending.success() && left {
        let reason = "it went to the background: run it in the foreground, so that its end can be seen".to_owned();
        return EarlyEnd { reason, hopeless: true };
    }
    let why = if said_in_use { ": its address is in use" } else { "" };
    EarlyEnd { reason: format!("it ended with {ending} after {uptime:.1?}{why}"), hopeless: false }
}

/// Whether a number in `text` is `port`, and not only a part of it.
fn names_port(text: &str, port: u16) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|number| number.parse() == Ok(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_mins(1);

    fn facts(command: &[OsString]) -> Facts<'_> {
        Facts { port: Some(12345), fixed: false, ready_path: Some("/ready"), our_ports: &[8080, 9090], command }
    }

    fn listening(address: &str) -> Listening {
        Listening { address: address.parse().unwrap(), inode: 1 }
    }

    fn ended(lines: &[&str], command: &[&str]) -> EarlyEnd {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        early_end(&facts(&command), &Obstacle::Refused, Ending::Exited(1), AFTER, &lines, false)
    }

    #[test]
    fn a_program_that_listens_elsewhere_is_told_the_port_to_set() {
        let reason = too_late(&facts(&[]), &Obstacle::Refused, &[listening("[::]:3000")], AFTER);
        assert!(reason.starts_with("it listens on port 3000, not on PORT=12345"), "{reason}");
        assert!(reason.ends_with("set app.port = 3000"), "{reason}");
    }

    #[test]
    fn one_on_another_interface_is_told_so_and_not_that_it_has_the_wrong_port() {
        let reason = too_late(&facts(&[]), &Obstacle::Refused, &[listening("10.0.0.5:12345")], AFTER);
        assert!(reason.starts_with("it listens on 10.0.0.5 only"), "{reason}");
    }

    #[test]
    fn what_stood_in_the_way_last_is_the_reason() {
        let reason = |obstacle| too_late(&facts(&[]), &obstacle, &[], AFTER);
        assert_eq!(reason(Obstacle::Status(503)), "GET /ready on port 12345 still answered 503 after 60s");
        assert!(reason(Obstacle::Refused).starts_with("it listened on nothing after 60s"));
        let holder = Some("nginx (pid 7)".to_owned());
        assert!(reason(Obstacle::Stranger { holder }).starts_with("port 12345 is in use by nginx (pid 7)"));
    }

    #[test]
    fn a_program_that_wants_our_port_is_told_by_its_number() {
        let by_its_words = ended(&["Error: listen EADDRINUSE: address already in use :::8080"], &["node", "server.js"]);
        let by_its_arguments = ended(&["OSError: [Errno 98] Address already in use"], &["python3", "-m", "x", "8080"]);
        for end in [by_its_words, by_its_arguments] {
            assert!(end.hopeless && end.reason.starts_with("it wants port 8080, which is ours"), "{end:?}");
        }
    }

    #[test]
    fn a_number_that_holds_ours_is_another_port() {
        let end = ended(&["listen EADDRINUSE 127.0.0.1:18080"], &[]);
        assert_eq!(end.reason, "it ended with exit code 1 after 60.0s: its address is in use");
        assert!(!end.hopeless);
    }
}
