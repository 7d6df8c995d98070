//! What is known of one client connection: shared by its task, its stream, its requests and the worker's sweep.
//!
//! Times are ticks of the worker's coarse clock, so that the path of a request reads no clock for them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::task::Waker;

use seaworthy_core::pace::Pace;

use super::super::tunnel::UpstreamHalf;

/// Where a connection is between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing of a next request has arrived.
    Idle,
    /// The first byte of a head has arrived, the head has not.
    Head,
    /// A request is being served.
    Busy,
    /// HTTP/2: any number of requests, none or more of them open.
    Streams,
    /// The connection became a tunnel.
    Tunnel,
    /// The last answer is out; what the client still sends is thrown away.
    Lingering,
}

/// What the sweep or the drain wants of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Close if nothing of a next request has arrived; else serve that one and close.
    CloseIfIdle,
    /// Answer 408 to half a head and close.
    TimeOut,
    /// Say goodbye in the protocol's own way: GOAWAY, or a WebSocket's close frame.
    Leave,
    /// Close now.
    Cut,
}

/// One client connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) key: usize,
    pub(crate) peer: Option<SocketAddr>,
    phase: Cell<Phase>,
    /// The tick at which the phase began, or the connection last made progress in it.
    since: Cell<u32>,
    pub(crate) read: Cell<u64>,
    pub(crate) written: Cell<u64>,
    /// The answer to the request is complete; flushing it makes the connection idle.
    pub(crate) answered: Cell<bool>,
    /// How long we waited for bytes of request bodies, and for how many.
    pub(crate) pace: Cell<Pace>,
    /// We have bytes for the client that it does not take.
    pub(crate) write_wait: Cell<Option<u32>>,
    /// Its request body came too slowly: the next read of it fails.
    pub(crate) body_expired: Cell<bool>,
    order: Cell<Option<Order>>,
    waker: RefCell<Option<Waker>>,
    body_waker: RefCell<Option<Waker>>,
    /// The other half of a tunnel, between the 101 and the end of its writing.
    pub(crate) tunnel: RefCell<Option<UpstreamHalf>>,
    /// Requests that are open: streams of HTTP/2, or the one of HTTP/1.
    pub(crate) requests: Cell<u32>,
    /// Whether there ever was a request.
    pub(crate) used: Cell<bool>,
    /// The tick at which it was accepted.
    pub(crate) opened: u32,
    /// It was told to leave.
    pub(crate) told: Cell<bool>,
    /// What is still sent after the last answer is not waited for any more.
    pub(super) given_up: Cell<bool>,
    /// It has brought a `Content-Length`; see [`super::framing`].
    pub(super) length_seen: Cell<bool>,
}

impl Connection {
    pub(crate) fn new(key: usize, peer: Option<SocketAddr>, now: u32) -> Self {
        Self {
            key,
            peer,
            phase: Cell::new(Phase::Idle),
            since: Cell::new(now),
            read: Cell::new(0),
            written: Cell::new(0),
            answered: Cell::new(false),
            pace: Cell::default(),
            write_wait: Cell::new(None),
            body_expired: Cell::new(false),
            order: Cell::new(None),
            waker: RefCell::new(None),
            body_waker: RefCell::new(None),
            tunnel: RefCell::new(None),
            requests: Cell::new(0),
            used: Cell::new(false),
            opened: now,
            told: Cell::new(false),
            given_up: Cell::new(false),
            length_seen: Cell::new(false),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(crate) fn since(&self) -> u32 {
        self.since.get()
    }

    pub(crate) fn enter(&self, phase: Phase, now: u32) {
        self.phase.set(phase);
        self.since.set(now);
    }

    /// Keeps a tunnel or an HTTP/2 connection from being idle.
    pub(crate) fn touch(&self, now: u32) {
        self.since.set(now);
    }

    /// Gives an order and wakes whoever has to follow it.
    pub(crate) fn order(&self, order: Order) {
        self.order.set(Some(order));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    pub(crate) fn take_order(&self) -> Option<Order> {
        self.order.take()
    }

    /// Remembers whom to wake for an order. Cheap where nothing changed.
    pub(crate) fn listen(&self, waker: &Waker) {
        remember(&self.waker, waker);
    }

    /// Lets the read of the request body fail.
    pub(crate) fn expire_body(&self) {
        self.body_expired.set(true);
        if let Some(waker) = self.body_waker.borrow_mut().take() {
            waker.wake();
        }
    }

    pub(crate) fn listen_for_expiry(&self, waker: &Waker) {
        remember(&self.body_waker, waker);
    }
}

fn remember(slot: &RefCell<Option<Waker>>, waker: &Waker) {
    let mut slot = slot.borrow_mut();
    match slot.as_mut() {
        Some(known) => known.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}
