//! What can go wrong between us and the program, whose doing it is, and whether it may be tried again.

use std::error::Error;
use std::io;

use seaworthy::core::refusal::Reason;
use seaworthy::limit::body::LimitedBodyError;
use seaworthy::refusal::Refusal;
use seaworthy::server::ReceivedBodyError;

/// A failed exchange with the upstream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("no connection within the time for connecting")]
    ConnectTimeout,
    #[error("as many connections as allowed are open")]
    Busy,
    #[error("it closed the connection before it answered: {0}")]
    Closed(String),
    #[error("its answer is not HTTP: {0}")]
    Invalid(String),
    #[error("the client's body failed: {0}")]
    ClientBody(String),
    #[error("the client's body came too slowly")]
    ClientTooSlow,
    #[error("there is nothing to forward to yet")]
    NoAddress,
}

impl Failure {
    /// Of a body that broke off on its way from the client.
    pub(crate) fn of_body(error: &LimitedBodyError<ReceivedBodyError>) -> Self {
        match error {
            LimitedBodyError::Body(ReceivedBodyError::TooSlow) => Self::ClientTooSlow,
            error => Self::ClientBody(error.to_string()),
        }
    }

    /// Sorts an error of an exchange over HTTP/2 that had begun.
    pub(crate) fn of(error: &hyper::Error) -> Self {
        if error.is_user() {
            return Self::ClientBody(error.to_string());
        }
        if error.is_parse() { Self::Invalid(chain(error)) } else { Self::Closed(chain(error)) }
    }

    /// What the client is told.
    pub(crate) fn refusal(&self) -> Refusal {
        let reason = match self {
            Self::Connect(_) => Reason::UpstreamUnreachable,
            Self::ConnectTimeout => Reason::UpstreamTimeout,
            Self::Busy => Reason::UpstreamBusy,
            Self::Closed(_) => Reason::UpstreamClosed,
            Self::Invalid(_) => Reason::UpstreamInvalid,
            Self::ClientBody(_) => Reason::BadRequest,
            Self::ClientTooSlow => Reason::RequestTooSlow,
            Self::NoAddress => return Refusal::new(Reason::Starting).retry_after(2),
        };
        Refusal::new(reason)
    }

    /// The label of `upstream_requests_total`.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Connect(_) | Self::NoAddress => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::Busy => "busy",
            Self::Closed(_) => "closed",
            Self::Invalid(_) => "invalid",
            Self::ClientBody(_) | Self::ClientTooSlow => "client_body",
        }
    }

    /// Whether it is the upstream's doing, and so worth a line of its own.
    pub(crate) fn by_upstream(&self) -> bool {
        !matches!(self, Self::ClientBody(_) | Self::ClientTooSlow | Self::NoAddress)
    }
}

/// An error with its causes: hyper's own text stops at "connection error".
fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
