//! What is known of one client connection: shared by its task, its stream, its requests and the worker's sweep.
//!
//! Times are ticks of the worker's coarse clock, so that the path of a request reads no clock for them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::task::Waker;

use seaworthy_core::connection::{Found, Order, Phase};

use super::super::tunnel::UpstreamHalf;
use super::meter::{Meters, Read};

/// One client connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) key: usize,
    pub(crate) peer: Option<SocketAddr>,
    phase: Cell<Phase>,
    /// The tick at which the phase began, or the connection last made progress in it.
    since: Cell<u32>,
    read: Cell<u64>,
    /// The answer to the request is complete; flushing it makes the connection idle.
    pub(crate) answered: Cell<bool>,
    /// How its request bodies come.
    pub(crate) meters: Meters,
    /// We have bytes for the client that it does not take.
    pub(crate) write_wait: Cell<Option<u32>>,
    order: Cell<Option<Order>>,
    waker: RefCell<Option<Waker>>,
    /// The other half of a tunnel, between the 101 and the end of its writing.
    pub(crate) tunnel: RefCell<Option<UpstreamHalf>>,
    /// Requests that are open: streams of HTTP/2, or the one of HTTP/1.
    pub(crate) requests: Cell<u32>,
    /// Whether there ever was a request.
    pub(crate) used: Cell<bool>,
    /// The tick at which it was accepted.
    opened: u32,
    /// It was told to leave.
    told: Cell<bool>,
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
            answered: Cell::new(false),
            meters: Meters::default(),
            write_wait: Cell::new(None),
            order: Cell::new(None),
            waker: RefCell::new(None),
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

    pub(crate) fn enter(&self, phase: Phase, now: u32) {
        self.phase.set(phase);
        self.since.set(now);
    }

    /// Keeps a tunnel or an HTTP/2 connection from being idle.
    pub(crate) fn touch(&self, now: u32) {
        self.since.set(now);
    }

    /// As a look at it finds it. While it has requests it is not idle.
    pub(crate) fn found(&self, now: u32) -> Found {
        let phase = self.phase();
        if phase == Phase::Streams && self.requests.get() > 0 {
            self.touch(now);
        }
        Found {
            phase,
            since: self.since.get(),
            opened: self.opened,
            blocked: self.write_wait.get(),
            requests: self.requests.get(),
            used: self.used.get(),
            told: self.told.get(),
            // Its tunnel waits for the answer to its goodbye by itself.
            parted: false,
        }
    }

    /// Gives an order and wakes whoever has to follow it.
    pub(crate) fn order(&self, order: Order) {
        if order == Order::Leave {
            self.told.set(true);
        }
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
        let mut slot = self.waker.borrow_mut();
        match slot.as_mut() {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    /// So many bytes came.
    pub(crate) fn came(&self, bytes: usize) {
        self.read.set(self.read.get() + bytes as u64);
    }

    /// What ever came.
    pub(crate) fn read(&self) -> Read {
        let bytes = self.read.get();
        if self.phase() == Phase::Streams { Read::Http2(bytes) } else { Read::Http1(bytes) }
    }
}
