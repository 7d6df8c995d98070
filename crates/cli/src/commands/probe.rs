//! `seaworthy probe`: asks one probe, for the `HEALTHCHECK` of an image without a shell.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::find;
use super::output::Output;
use crate::cli::Probe;
use crate::config::{Address, Bind, Kind as _, Sources};
use crate::control::{self, Command, Reply};
use crate::exit_code::ExitCode;

/// More of an answer is not read: one word of it is shown.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What is probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProbeTarget {
    /// One of the four verdicts, on the ops listener.
    Verdict(&'static str),
    /// A path on the ops listener.
    Path(String),
    /// Anything that answers HTTP.
    Url { url: String, addresses: Vec<SocketAddr>, host: String, path: String },
}

/// Why something cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("{0:?} is no probe: use live, ready, startup, health, a path as in /health/ready, or a URL")]
    Unknown(String),
    #[error("{0:?} is no URL: write it as in http://127.0.0.1:8080/health")]
    NotAUrl(String),
    #[error("{0:?} asks for {1}: only http:// can be probed")]
    Scheme(String, String),
    // Not quoted: it holds a secret, and would stand in every process list too.
    #[error("the URL carries a user or a password: leave it out, and probe a path that needs none")]
    Credentials,
    #[error("{0:?} names the host {1}: names are not resolved here, write its address")]
    Name(String, String),
}

/// The paths where the verdicts are, whatever `probes.paths` does to the others.
const VERDICTS: [(&str, &str); 4] =
    [("live", "/livez"), ("ready", "/readyz"), ("startup", "/startupz"), ("health", "/healthz")];

impl FromStr for ProbeTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Some((verdict, _)) = VERDICTS.iter().find(|(verdict, _)| *verdict == text) {
            return Ok(Self::Verdict(verdict));
        }
        if text.starts_with('/') {
            let path = text.parse::<http::uri::PathAndQuery>();
            return path.map(|_| Self::Path(text.to_owned())).map_err(|_| TargetError::Unknown(text.to_owned()));
        }
        let Some((scheme, _)) = text.split_once("://") else { return Err(TargetError::Unknown(text.to_owned())) };
        if text.contains('@') {
            return Err(TargetError::Credentials);
        }
        if scheme != "http" {
            return Err(TargetError::Scheme(text.to_owned(), format!("{scheme}://")));
        }
        let malformed = || TargetError::NotAUrl(text.to_owned());
        let url: http::Uri = text.parse().map_err(|_| malformed())?;
        let authority = url.authority().ok_or_else(malformed)?;
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let hosts = match name.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if name.eq_ignore_ascii_case("localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Err(_) => return Err(TargetError::Name(text.to_owned(), name.to_owned())),
        };
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self::Url {
            url: text.to_owned(),
            addresses: hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect(),
            host: authority.to_string(),
            path: url.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verdict(verdict) => verdict,
            Self::Path(path) => path,
            Self::Url { url, .. } => url,
        })
    }
}

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// The first that can be connected to.
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addresses) => {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                f.write_str(&addresses.join(" or "))
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A request that is to be made.
#[derive(Debug)]
struct Question {
    place: Place,
    host: String,
    path: String,
}

/// What came back: the status, and the word that our own probes say.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    status: u16,
    word: Option<String>,
}

impl Verdict {
    /// As the kubelet sees it: from 200 to 399.
    fn is_good(&self) -> bool {
        (200..400).contains(&self.status)
    }
}

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
    let admin = match &probe.admin {
        Some(text) => {
            let bind = Bind::read(&text.as_str().into()).map_err(|complaint| format!("--admin {text} {complaint}"))?;
            bind.resolve(Ipv4Addr::LOCALHOST.into())
        }
        None => {
            let found = find::find(&Sources::of_process(probe.reach.command_line()));
            found.admin.ok_or("the ops listener is off (admin = \"off\"): name a URL to probe instead")?
        }
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

fn ask(question: &Question, deadline: Instant) -> io::Result<Verdict> {
    let Question { place, host, path } = question;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: seaworthy-probe\r\nConnection: close\r\n\r\n");
    match place {
        Place::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            exchange(&stream, &request, deadline, |left| {
                stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left)))
            })
        }
        Place::Tcp(addresses) => {
            let mut last = io::ErrorKind::AddrNotAvailable.into();
            for address in addresses {
                match TcpStream::connect_timeout(address, left(deadline)?) {
                    Ok(stream) => {
                        return exchange(&stream, &request, deadline, |left| {
                            stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left)))
                        });
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

/// What is left until `deadline`; never zero, which the kernel takes for "for ever".
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(Duration::from_millis(1))) }
}

/// Sends the request and reads as much of the answer as is needed. `limit` bounds the next system call.
fn exchange<S: Read + Write>(
    mut stream: S,
    request: &str,
    deadline: Instant,
    limit: impl Fn(Duration) -> io::Result<()>,
) -> io::Result<Verdict> {
    limit(left(deadline)?)?;
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(verdict) = read(&answer, false)? {
            return Ok(verdict);
        }
        limit(left(deadline)?)?;
        let length = stream.read(&mut chunk)?;
        answer.extend_from_slice(&chunk[..length]);
        if length == 0 || answer.len() > LONGEST_ANSWER {
            let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off");
            return read(&answer, true)?.ok_or_else(broken);
        }
    }
}

/// The verdict in what has come of an answer so far; `None` where more is needed. At the `end` no more will come.
fn read(answer: &[u8], end: bool) -> io::Result<Option<Verdict>> {
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    if !answer.starts_with(&b"HTTP/1."[..answer.len().min(7)]) {
        return Err(no_http());
    }
    let Some(length) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = (&answer[..length], &answer[length + 4..]);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status: u16 = status.filter(|status| (100..1000).contains(status)).ok_or_else(no_http)?;
    let header = |name: &str| {
        let value = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.split("\r\n").skip(1).find_map(value)
    };
    // Only JSON of a known length can be one of our own bodies; of anything else the status says enough.
    let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
    let json = header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    match length.filter(|length| json && *length <= LONGEST_ANSWER) {
        Some(length) if body.len() < length && !end => Ok(None),
        Some(length) => Ok(Some(Verdict { status, word: word(&body[..length.min(body.len())]) })),
        None => Ok(Some(Verdict { status, word: None })),
    }
}

/// The `status` of a probe's body.
fn word(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let word = body["status"].as_str()?;
    // It goes to a terminal, and was written by somebody else.
    let plain = word.chars().filter(|character| !character.is_control()).take(40).collect::<String>();
    (!plain.is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests;
