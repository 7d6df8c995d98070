//! A request and what became of it, with the times that a judgement needs.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Answer, Connection, Failure, Request, Target};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    /// A complete answer below 500.
    Ok,
    /// A complete answer of 500 or above.
    ServerError(u16),
    /// Nobody listened.
    Refused,
    /// Ended by RST or FIN before a byte of the answer.
    CutBeforeBytes,
    /// RST within the answer.
    CutAfterBytes,
    /// FIN within the answer.
    Truncated,
    /// No complete answer in time.
    Timeout,
    /// A *kept* connection was closed before a byte of the answer: the server's close and the request
    /// crossed. A client may repeat a GET then, so it is counted apart.
    IdleRace,
    /// Bytes that are no HTTP answer.
    Malformed,
}

impl Outcome {
    pub(crate) fn of(answer: &Result<Answer, Failure>, kept: bool) -> Self {
        match answer {
            Ok(answer) if answer.status >= 500 => Self::ServerError(answer.status),
            Ok(_) => Self::Ok,
            Err(Failure::Refused | Failure::Unreachable(_) | Failure::Handshake(_) | Failure::Untrusted(_)) => {
                Self::Refused
            }
            Err(Failure::Reset { got: 0 } | Failure::Closed { got: 0 }) if kept => Self::IdleRace,
            Err(Failure::Reset { got: 0 } | Failure::Closed { got: 0 }) => Self::CutBeforeBytes,
            Err(Failure::Reset { .. }) => Self::CutAfterBytes,
            Err(Failure::Closed { .. }) => Self::Truncated,
            Err(Failure::Timeout { .. }) => Self::Timeout,
            Err(Failure::Malformed(_)) => Self::Malformed,
        }
    }

    /// Whether the client lost something that it was entitled to.
    pub(crate) fn is_loss(self) -> bool {
        !matches!(self, Self::Ok | Self::IdleRace)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::ServerError(status) => write!(f, "answered {status}"),
            Self::Refused => f.write_str("refused"),
            Self::CutBeforeBytes => f.write_str("cut before a byte of the answer"),
            Self::CutAfterBytes => f.write_str("reset within the answer"),
            Self::Truncated => f.write_str("answer cut short"),
            Self::Timeout => f.write_str("timed out"),
            Self::IdleRace => f.write_str("idle race"),
            Self::Malformed => f.write_str("not HTTP"),
        }
    }
}

/// A request, when it was what, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    /// When it began: the connection was asked for, or the kept one was taken.
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome,
    /// On a connection that had carried an answer before.
    pub(crate) kept: bool,
    pub(crate) status: Option<u16>,
    /// The answer said `Connection: close`.
    pub(crate) told_to_close: bool,
    pub(crate) failure: Option<Failure>,
}

impl Exchange {
    pub(crate) fn new(name: String, begun: Instant, kept: bool, answer: &Result<Answer, Failure>) -> Self {
        Self {
            name,
            begun,
            ended: Instant::now(),
            outcome: Outcome::of(answer, kept),
            kept,
            status: answer.as_ref().ok().map(|answer| answer.status),
            told_to_close: answer.as_ref().is_ok_and(|answer| answer.close),
            failure: answer.as_ref().err().cloned(),
        }
    }

    pub(crate) fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.begun)
    }

    /// One line of evidence: times count from `zero`, usually the signal.
    pub(crate) fn evidence(&self, zero: Instant) -> String {
        let what = match (&self.failure, self.status) {
            (Some(failure), _) => failure.to_string(),
            (None, Some(status)) => format!("answered {status}"),
            (None, None) => self.outcome.to_string(),
        };
        format!("{} begun {}, ended {}: {what}", self.name, offset(self.begun, zero), offset(self.ended, zero))
    }
}

/// `+1.250 s` after zero, `-0.300 s` before it.
pub(crate) fn offset(at: Instant, zero: Instant) -> String {
    if at >= zero {
        format!("+{:.3} s", (at - zero).as_secs_f64())
    } else {
        format!("-{:.3} s", (zero - at).as_secs_f64())
    }
}

/// One request on a connection of its own.
pub(crate) async fn exchange(target: &Target, request: &Request, limit: Duration) -> Exchange {
    let begun = Instant::now();
    let answer = super::fetch(target, request, limit).await;
    Exchange::new(request.to_string(), begun, false, &answer)
}

/// An upload that sends its `parts` at a pace, and reads the answer, also an early one.
///
/// Returns the exchange, and whether the answer came before the last part was sent.
pub(crate) async fn drip(
    target: &Target,
    path: &str,
    parts: usize,
    pace: Duration,
    limit: Duration,
) -> (Exchange, bool) {
    const PART: &[u8] = &[b'x'; 1024];
    let begun = Instant::now();
    let deadline = begun + limit;
    let request = Request::new("POST", path).header("content-type", "application/octet-stream");
    let mut early = false;
    let answer = async {
        let mut connection = Connection::open(target, limit).await?;
        connection.send(&request.head(target, Some(parts * PART.len())), limit).await?;
        for _ in 0..parts {
            // Bytes on the way here while we send: the server has answered already, or is gone.
            match connection.ending(pace).await {
                super::Ending::Open => {}
                super::Ending::Data => {
                    early = true;
                    return connection.answer(&request, deadline).await;
                }
                super::Ending::Closed => return Err(Failure::Closed { got: 0 }),
                super::Ending::Reset => return Err(Failure::Reset { got: 0 }),
            }
            if let Err(failure) = connection.send(PART, limit).await {
                early = true;
                return connection.answer(&request, deadline).await.map_err(|_| failure);
            }
        }
        connection.answer(&request, deadline).await
    }
    .await;
    (Exchange::new(request.to_string(), begun, false, &answer), early)
}
