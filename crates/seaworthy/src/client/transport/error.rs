//! Why no answer came, and whether any of the request can have been read.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use hyper_util::client::legacy;

use super::ResolveError;

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The name has no address.
    Resolve,
    /// The name has only addresses that may not be connected to.
    Forbidden,
    /// Nobody accepts connections there.
    Connect,
    /// Name, TCP and TLS took longer than allowed.
    ConnectTimeout,
    /// The certificate is not believed, or there is no TLS.
    Tls,
    /// The connection broke before the answer was there.
    Closed,
    /// What came is not HTTP.
    Invalid,
    /// Our own body failed while it was sent.
    Body,
    /// The request cannot be sent: its target is not absolute, say.
    Request,
}

impl Failure {
    /// As it stands in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Forbidden => "forbidden",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Invalid => "invalid",
            Self::Body => "body",
            Self::Request => "request",
        }
    }

    /// Whether the server can have seen any of the request. What it cannot have seen may be sent again, whatever its method.
    pub fn may_have_arrived(self) -> bool {
        match self {
            Self::Resolve | Self::Forbidden | Self::Connect | Self::ConnectTimeout | Self::Tls | Self::Request => false,
            Self::Closed | Self::Invalid | Self::Body => true,
        }
    }
}

/// No answer came. Its message has all causes, outermost first.
#[derive(Debug)]
pub struct TransportError {
    failure: Failure,
    source: legacy::Error,
}

impl TransportError {
    pub(super) fn new(source: legacy::Error) -> Self {
        Self { failure: classify(&source), source }
    }

    /// What failed.
    pub fn failure(&self) -> Failure {
        self.failure
    }
}

fn classify(error: &legacy::Error) -> Failure {
    if let Some(connect) = find::<ConnectError>(error) {
        return connect.failure();
    }
    if error.is_connect() {
        return Failure::Connect;
    }
    match find::<hyper::Error>(error) {
        // Our own body, which hyper was sending.
        Some(error) if error.is_user() => Failure::Body,
        Some(error) if error.is_parse() => Failure::Invalid,
        Some(_) => Failure::Closed,
        None => Failure::Request,
    }
}

fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| cause(error))
}

fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    // An `io::Error` hides what it carries behind its own message.
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(carried) => Some(carried),
        None => error.source(),
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.failure {
            Failure::Resolve | Failure::Forbidden | Failure::Connect | Failure::ConnectTimeout | Failure::Tls => {
                "cannot connect"
            }
            Failure::Closed => "the connection broke before the answer",
            Failure::Invalid => "the answer is malformed",
            Failure::Body => "the request body failed",
            Failure::Request => "the request cannot be sent",
        })?;
        let mut last = String::new();
        // The first is the pool's own, which says nothing of its own.
        for cause in chain(&self.source).skip(1) {
            let said = cause.to_string();
            // Many repeat what they carry.
            if !last.contains(&said) {
                write!(f, ": {said}")?;
                last = said;
            }
        }
        Ok(())
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl ConnectError {
    fn failure(&self) -> Failure {
        let Self::Failed(error) = self else { return Failure::ConnectTimeout };
        let error: &(dyn Error + 'static) = &**error;
        match find::<ResolveError>(error) {
            Some(ResolveError::Forbidden { .. }) => return Failure::Forbidden,
            Some(_) => return Failure::Resolve,
            None => {}
        }
        if find::<rustls::Error>(error).is_some() { Failure::Tls } else { Failure::Connect }
    }
}
