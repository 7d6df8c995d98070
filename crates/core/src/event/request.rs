//! The fact on the path of every request.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::refusal::Reason;
use crate::trace::{RequestSpan, TraceId};

/// What a client spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    Http10,
    Http11,
    Http2,
}

impl Protocol {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }

    /// The version alone, as OpenTelemetry's `network.protocol.version` has it.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// What is known of the upstream's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamFacts<'a> {
    /// Where the request went.
    pub address: &'a str,
    /// From the first attempt to the head of the answer.
    pub time: Duration,
    /// 1 unless it was tried again.
    pub attempts: u8,
}

/// A request is over: answered to its end, refused, or left by its client.
#[derive(Debug, Clone, Copy)]
pub struct RequestFinished<'a> {
    pub request_id: &'a str,
    pub trace_id: Option<TraceId>,
    /// Its spans, where some are made.
    pub span: Option<RequestSpan>,
    pub method: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// The pattern that the path matched, or what the program said of it; `None` where nobody knows.
    pub route: Option<&'a str>,
    pub status: u16,
    pub protocol: Protocol,
    pub client: Option<IpAddr>,
    pub user_agent: Option<&'a [u8]>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// When it was over. What is said of it says this, so that a line, a span and an exemplar agree.
    pub ended: SystemTime,
    /// From the head of the request to the end of the answer.
    pub duration: Duration,
    /// From the head of the request to the head of the answer.
    pub first_byte: Duration,
    pub upstream: Option<UpstreamFacts<'a>>,
    pub refusal: Option<Reason>,
    /// The client left, or the answer broke off, before its end.
    pub aborted: bool,
    /// A probe or a scrape: logged only when it failed.
    pub quiet: bool,
}

/// A GET of `/` that was answered 200, in no time and with nothing. What a test of an observer begins with.
impl Default for RequestFinished<'_> {
    fn default() -> Self {
        Self {
            request_id: "",
            trace_id: None,
            span: None,
            method: "GET",
            path: "/",
            query: None,
            route: None,
            status: 200,
            protocol: Protocol::Http11,
            client: None,
            user_agent: None,
            bytes_in: 0,
            bytes_out: 0,
            ended: SystemTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            first_byte: Duration::ZERO,
            upstream: None,
            refusal: None,
            aborted: false,
            quiet: false,
        }
    }
}
