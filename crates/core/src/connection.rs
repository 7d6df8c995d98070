//! When a client's connection is closed, told to leave or given up.
//!
//! # Rules
//!
//! | a connection that | is |
//! | --- | --- |
//! | waits for a next request longer than the idle timeout | closed, unless something of one arrived |
//! | has half a head for longer than the head timeout | answered 408 |
//! | takes nothing of its answer for the send timeout | cut |
//! | speaks HTTP/2, has no request and is idle for too long | told to leave |
//! | speaks HTTP/2 and was accepted during a drain | told to leave after its first request |
//! | is silent for two seconds after its last answer | cut |
//! | has not answered the close of its WebSocket for two seconds | cut |
//!
//! Once the listener is closed, whatever is idle goes. How slowly the body of a request may come is [`pace`](crate::pace)'s.
//!
//! # Lingering close
//!
//! Closing a socket whose receive buffer is not empty sends a reset, which can destroy the answer on its way to the client
//! (RFC 9112, 9.6). So the write side is closed first, and what the client still sends is thrown away until it is silent, or for ten seconds.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use seaworthy_core::connection::{Drain, Found, Order, Patience, Phase};
//! use seaworthy_core::tick::ticks;
//!
//! let second = Duration::from_secs(1);
//! let patience = Patience::new(10 * second, 75 * second, 30 * second);
//! let half_a_head = Found::new(Phase::Head, ticks(second));
//! assert_eq!(patience.order(Drain::default(), half_a_head, ticks(11 * second)), None);
//! assert_eq!(patience.order(Drain::default(), half_a_head, ticks(12 * second)), Some(Order::TimeOut));
//! ```

use std::time::Duration;

use crate::refusal::Reason;
use crate::tick::ticks;

/// How long the rest of a request is waited for, and a WebSocket may take to answer a close frame.
const LINGER: Duration = Duration::from_secs(2);

/// Who goes on sending after the last answer is listened to for so long.
const LONGEST: Duration = Duration::from_secs(10);

/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which HTTP a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// What shows in the first bytes of a connection; `None` where more of them are needed.
    #[must_use]
    pub fn of(first: &[u8]) -> Option<Self> {
        let seen = first.len().min(PREFACE.len());
        if first[..seen] != PREFACE[..seen] {
            return Some(Self::Http1);
        }
        (seen == PREFACE.len()).then_some(Self::Http2)
    }
}

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Nothing of a next request has arrived.
    Idle,
    /// The first byte of a head has arrived, the head has not.
    Head,
    /// A request is being served.
    Busy,
    /// HTTP/2: any number of requests, none or more of them open.
    Streams,
    /// A 101 is on its way out, where HTTP still has the socket then.
    Upgrading,
    /// The connection became a tunnel.
    Tunnel,
    /// The last answer is out; what the client still sends is thrown away.
    Lingering,
}

/// What is wanted of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Close if nothing of a next request has arrived; else serve that one and close.
    CloseIfIdle,
    /// Answer 408 to half a head and close; see [`time_out`].
    TimeOut,
    /// Say goodbye in the protocol's own way: GOAWAY, or a WebSocket's close frame.
    Leave,
    /// Close now.
    Cut,
}

/// A connection as a look at it finds it. Times are [`ticks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub phase: Phase,
    /// When the phase began, or the connection last made progress in it.
    pub since: u32,
    /// When it was accepted.
    pub opened: u32,
    /// Since when the client takes nothing of what there is for it; `None` while it takes it.
    pub blocked: Option<u32>,
    /// Requests that are open.
    pub requests: u32,
    /// Whether there ever was one.
    pub used: bool,
    /// Whether it was told to leave.
    pub told: bool,
    /// Whether the goodbye was said to its WebSocket, and an answer to it is waited for.
    pub parted: bool,
}

impl Found {
    /// One that was accepted when its phase began, and of which nothing else is known.
    #[must_use]
    pub fn new(phase: Phase, since: u32) -> Self {
        Self { phase, since, opened: since, blocked: None, requests: 0, used: false, told: false, parted: false }
    }
}

/// How far a server is in letting go of its clients. The default is not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drain {
    /// Since when clients are told to leave, in [`ticks`].
    pub farewell: Option<u32>,
    /// The listener is closed: what is idle goes.
    pub finishing: bool,
}

/// How long connections are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    head: u32,
    idle: u32,
    send: u32,
    linger: u32,
}

impl Patience {
    /// For the rest of a head, for a next request, and for a client that takes nothing.
    #[must_use]
    pub fn new(head: Duration, idle: Duration, send: Duration) -> Self {
        Self { head: ticks(head), idle: ticks(idle), send: ticks(send), linger: ticks(LINGER) }
    }

    /// What is wanted of a connection now, if anything. It may be wanted again at the next look.
    #[must_use]
    pub fn order(&self, drain: Drain, found: Found, now: u32) -> Option<Order> {
        let for_longer_than = |limit, since| now.saturating_sub(since) > limit;
        if found.blocked.is_some_and(|since| for_longer_than(self.send, since)) {
            return Some(Order::Cut);
        }
        let silent = |limit| for_longer_than(limit, found.since);
        match found.phase {
            Phase::Idle => (drain.finishing || silent(self.idle)).then_some(Order::CloseIfIdle),
            Phase::Head => silent(self.head).then_some(Order::TimeOut),
            Phase::Streams => {
                let idle = found.requests == 0 && (drain.finishing || silent(self.idle));
                // Accepted during the drain, it may make one request.
                let late = found.used && drain.farewell.is_some_and(|began| found.opened >= began);
                (!found.told && (idle || late)).then_some(Order::Leave)
            }
            Phase::Tunnel => (found.parted && silent(self.linger)).then_some(Order::Cut),
            Phase::Lingering => silent(self.linger).then_some(Order::Cut),
            Phase::Busy | Phase::Upgrading => None,
        }
    }
}

/// Whether what still comes at tick `now` keeps a connection open whose write side was closed at tick `closed`.
#[must_use]
pub fn lingers(closed: u32, now: u32) -> bool {
    now.saturating_sub(closed) <= ticks(LONGEST)
}

/// How long to wait after each of `count` that are told to leave, so that all are told within `over`, and not all of them come back elsewhere
/// at once.
#[must_use]
pub fn pause(over: Duration, count: usize) -> Duration {
    over / u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1)
}

/// The answer to half a head. HTTP's own code cannot give it, because no request has begun.
#[must_use]
pub fn time_out() -> String {
    let row = Reason::RequestTooSlow.row();
    let (name, title, status) = (row.name, row.title, row.status);
    let body = format!("{{\"type\":\"urn:seaworthy:problem:{name}\",\"title\":\"{title}\",\"status\":{status}}}\n");
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Request Timeout\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { head: 100, idle: 750, send: 300, linger: 20 };
    const FINISHING: Drain = Drain { farewell: Some(0), finishing: true };

    /// When it is ordered what, of the ticks from `found.since` on.
    fn first(drain: Drain, found: Found) -> Option<(u32, Order)> {
        (0..2000).find_map(|after| Some((after, PATIENCE.order(drain, found, found.since + after)?)))
    }

    #[test]
    fn each_phase_has_a_time_of_its_own_and_a_request_that_runs_has_none() {
        let in_phase = |phase| first(Drain::default(), Found::new(phase, 7));
        assert_eq!(in_phase(Phase::Idle), Some((751, Order::CloseIfIdle)));
        assert_eq!(in_phase(Phase::Head), Some((101, Order::TimeOut)));
        assert_eq!(in_phase(Phase::Streams), Some((751, Order::Leave)));
        assert_eq!(in_phase(Phase::Lingering), Some((21, Order::Cut)));
        for phase in [Phase::Busy, Phase::Upgrading, Phase::Tunnel] {
            assert_eq!(in_phase(phase), None, "{phase:?}");
        }
    }

    #[test]
    fn who_takes_nothing_is_cut_in_every_phase() {
        for phase in [Phase::Busy, Phase::Streams, Phase::Tunnel] {
            let blocked = Found { blocked: Some(10), ..Found::new(phase, 7) };
            assert_eq!(first(Drain::default(), blocked), Some((304, Order::Cut)), "{phase:?}");
        }
    }

    #[test]
    fn at_the_end_of_a_drain_what_is_idle_goes_and_half_a_head_is_waited_for() {
        assert_eq!(first(FINISHING, Found::new(Phase::Idle, 7)), Some((0, Order::CloseIfIdle)));
        assert_eq!(first(FINISHING, Found::new(Phase::Head, 7)), Some((101, Order::TimeOut)));
        let streams = Found::new(Phase::Streams, 7);
        assert_eq!(first(FINISHING, streams), Some((0, Order::Leave)));
        assert_eq!(first(FINISHING, Found { told: true, ..streams }), None);
    }

    #[test]
    fn http2_accepted_during_a_drain_may_make_one_request() {
        let drain = Drain { farewell: Some(50), finishing: false };
        let late = Found { requests: 1, ..Found::new(Phase::Streams, 50) };
        assert_eq!(first(drain, late), None);
        assert_eq!(first(drain, Found { used: true, ..late }), Some((0, Order::Leave)));
        // What was there before is told one by one, by whoever drains.
        assert_eq!(first(drain, Found { used: true, opened: 49, ..late }), None);
    }

    #[test]
    fn a_websocket_has_two_seconds_to_answer_the_goodbye() {
        let parted = Found { parted: true, told: true, ..Found::new(Phase::Tunnel, 7) };
        assert_eq!(first(FINISHING, parted), Some((21, Order::Cut)));
    }

    #[test]
    fn who_goes_on_sending_is_listened_to_for_ten_seconds() {
        assert!(lingers(7, 7) && lingers(7, 107));
        assert!(!lingers(7, 108));
    }

    #[test]
    fn those_who_leave_are_told_one_after_the_other_within_the_time() {
        for count in [1, 9, 10_000] {
            assert!(pause(Duration::from_secs(10), count) * u32::try_from(count).unwrap() < Duration::from_secs(10));
        }
        assert_eq!(pause(Duration::from_secs(10), 9), Duration::from_secs(1));
        assert_eq!(pause(Duration::ZERO, 9), Duration::ZERO);
        assert!(pause(Duration::from_secs(10), usize::MAX) < Duration::from_nanos(10));
    }

    #[test]
    fn http2_is_told_by_its_preface_and_nothing_else_waits_for_the_whole_of_it() {
        for end in 0..PREFACE.len() {
            assert_eq!(Protocol::of(&PREFACE[..end]), None, "{end}");
        }
        assert_eq!(Protocol::of(PREFACE), Some(Protocol::Http2));
        assert_eq!(Protocol::of(&[PREFACE, b"\0\0\0\x04"].concat()), Some(Protocol::Http2));
        assert_eq!(Protocol::of(b"P"), None);
        assert_eq!(Protocol::of(b"PO"), Some(Protocol::Http1));
        assert_eq!(Protocol::of(b"GET / HTTP/1.1\r\n"), Some(Protocol::Http1));
    }

    #[test]
    fn the_408_says_how_long_it_is_and_reads_as_every_other_problem() {
        let text = time_out();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 408 ") && head.ends_with(&format!("content-length: {}", body.len())),
            "{head}"
        );
        assert_eq!(
            body,
            "{\"type\":\"urn:seaworthy:problem:request_too_slow\",\"title\":\"The request took too long to arrive\",\"status\":408}\n"
        );
    }
}
