//! One request of HTTP/1.1 and as much of its answer as is needed: without a runtime, which would take longer to start
//! than the answer takes to come.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// More of an answer is not read: one word of it is shown.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
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
pub(super) struct Question {
    pub(super) place: Place,
    pub(super) host: String,
    pub(super) path: String,
}

/// What came back: the status, and the word that our own probes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: u16,
    pub(super) word: Option<String>,
}

impl Verdict {
    /// As the kubelet sees it: from 200 to 399.
    pub(super) fn is_good(&self) -> bool {
        (200..400).contains(&self.status)
    }
}

/// Asks, and waits for the answer until `deadline`.
pub(super) fn ask(question: &Question, deadline: Instant) -> io::Result<Verdict> {
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
mod tests {
    use super::*;

    #[test]
    fn fuzz_any_answer_to_a_probe_is_a_verdict_or_an_error() {
        seaworthy_fuzz::drive("probe-answer", |answer| {
            let whole = read(answer, true).ok().flatten();
            if let Some(verdict) = &whole {
                assert!((100..1000).contains(&verdict.status));
                assert!(verdict.word.as_ref().is_none_or(|word| !word.chars().any(char::is_control)));
            }
            // What comes later changes no verdict.
            if let Ok(Some(early)) = read(&answer[..answer.len() / 2], false) {
                assert_eq!(whole.map(|verdict| verdict.status), Some(early.status));
            }
        });
    }
}
