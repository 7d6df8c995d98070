//! What is known of one connection: shared by its task, its stream, its requests and the sweep.
//!
//! Times are ticks of the sweep, so that the path of a request reads no clock for them. Everything is relaxed: each value
//! stands for itself, and whoever has to act on one is woken, which orders.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use seaworthy_core::connection::{Found, Order, Phase};
use seaworthy_core::pace::{Arrived, MinRate};
use slab::Slab;

use super::Meter;

/// Not waited for anything.
const NEVER: u32 = u32::MAX;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Option<SocketAddr>,
    /// The tick at which it was accepted.
    opened: u32,
    phase: AtomicU8,
    /// The tick at which the phase began, or the connection last made progress in it.
    since: AtomicU32,
    /// Since when the client takes nothing of what we have for it.
    blocked: AtomicU32,
    /// Bytes that ever came. Only its stream adds to them.
    read: AtomicU64,
    /// Bytes that were given to bodies of HTTP/2.
    given: AtomicU64,
    /// The bodies that were waited for. The lock is taken where one is for the first time and where it ends, and by the sweep.
    meters: Mutex<Slab<Arc<Meter>>>,
    /// Requests that are open.
    requests: AtomicU32,
    /// Whether there ever was a request.
    used: AtomicBool,
    /// The answer is complete; flushing it makes the connection idle.
    answered: AtomicBool,
    /// What was upgraded to is a WebSocket.
    websocket: AtomicBool,
    /// It should close where nothing of a next request has arrived.
    close_if_idle: AtomicBool,
    /// Half a head has been waiting for the other half for too long.
    timed_out: AtomicBool,
    /// It should say goodbye in its protocol's own way: GOAWAY, or the close frame of a WebSocket.
    leave: AtomicBool,
    /// The goodbye has been said to a WebSocket.
    parting: AtomicBool,
    /// It should end now.
    cut: AtomicBool,
    /// Whoever reads from it.
    pub(super) reader: AtomicWaker,
    /// Whoever writes to it, in a tunnel.
    pub(super) writer: AtomicWaker,
    /// Its task.
    pub(super) task: AtomicWaker,
}

impl Connection {
    pub(super) fn new(peer: Option<SocketAddr>, now: u32) -> Self {
        Self {
            peer,
            opened: now,
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU32::new(now),
            blocked: AtomicU32::new(NEVER),
            read: AtomicU64::new(0),
            given: AtomicU64::new(0),
            meters: Mutex::default(),
            requests: AtomicU32::new(0),
            used: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            websocket: AtomicBool::new(false),
            close_if_idle: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
            leave: AtomicBool::new(false),
            parting: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            task: AtomicWaker::new(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        phase_of(self.phase.load(Relaxed))
    }

    /// As a look at it finds it. While it has requests it is not idle.
    pub(super) fn found(&self, now: u32) -> Found {
        let (phase, requests) = (self.phase(), self.requests());
        if phase == Phase::Streams && requests > 0 {
            self.touch(now);
        }
        Found {
            phase,
            since: self.since(),
            opened: self.opened,
            blocked: Some(self.blocked.load(Relaxed)).filter(|tick| *tick != NEVER),
            requests,
            used: self.used.load(Relaxed),
            told: self.leaves(),
            parted: self.parting.load(Relaxed),
        }
    }

    /// Gives an order and wakes whoever has to follow it.
    pub(super) fn order(&self, order: Order) {
        match order {
            Order::CloseIfIdle => {
                self.close_if_idle.store(true, Relaxed);
                self.reader.wake();
            }
            Order::TimeOut => {
                self.timed_out.store(true, Relaxed);
                self.reader.wake();
            }
            Order::Leave => {
                self.leave.store(true, Relaxed);
                self.wake_all();
            }
            Order::Cut => {
                self.cut.store(true, Relaxed);
                self.wake_all();
            }
        }
    }

    pub(super) fn since(&self) -> u32 {
        self.since.load(Relaxed)
    }

    pub(super) fn enter(&self, phase: Phase, now: u32) {
        self.phase.store(phase as u8, Relaxed);
        self.since.store(now, Relaxed);
    }

    /// Keeps it from being idle.
    pub(super) fn touch(&self, now: u32) {
        self.since.store(now, Relaxed);
    }

    /// A request began.
    pub(super) fn begin(&self, now: u32) {
        self.requests.fetch_add(1, Relaxed);
        self.used.store(true, Relaxed);
        self.answered.store(false, Relaxed);
        if self.phase() != Phase::Streams {
            self.enter(Phase::Busy, now);
        }
    }

    /// It is answered to its end, or broke off.
    pub(super) fn end(&self) {
        self.requests.fetch_sub(1, Relaxed);
        self.answered.store(true, Relaxed);
    }

    /// All that was written is with the kernel.
    pub(super) fn flushed(&self, now: u32) {
        match self.phase() {
            Phase::Busy if self.answered.swap(false, Relaxed) => self.enter(Phase::Idle, now),
            Phase::Upgrading => self.enter(Phase::Tunnel, now),
            _ => {}
        }
    }

    /// A 101 is about to be written.
    pub(super) fn upgrade(&self, websocket: bool, now: u32) {
        self.websocket.store(websocket, Relaxed);
        self.enter(Phase::Upgrading, now);
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.load(Relaxed)
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// So much came. Without a lock of the bus: nobody else adds.
    pub(super) fn came(&self, bytes: usize) {
        self.read.store(self.read.load(Relaxed) + bytes as u64, Relaxed);
    }

    /// So much of it was given to a body.
    pub(super) fn give(&self, meter: &Meter, bytes: usize) {
        // Over HTTP/1 whatever comes is of the one body.
        if self.phase() == Phase::Streams {
            meter.give(bytes as u64);
            self.given.fetch_add(bytes as u64, Relaxed);
        }
    }

    /// What has come for the body of `meter`.
    pub(super) fn arrived(&self, meter: &Meter) -> Arrived {
        let connection = self.read.load(Relaxed);
        if self.phase() == Phase::Streams {
            Arrived { body: meter.given(), bodies: self.given.load(Relaxed), connection }
        } else {
            Arrived::alone(connection)
        }
    }

    fn meters(&self) -> MutexGuard<'_, Slab<Arc<Meter>>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body is waited for, for the first time. Gives its key.
    pub(super) fn enter_meter(&self, meter: Arc<Meter>) -> usize {
        self.meters().insert(meter)
    }

    pub(super) fn leave_meter(&self, key: usize) {
        self.meters().try_remove(key);
    }

    /// Lets the reads of those bodies fail that came too slowly.
    pub(super) fn expire_bodies(&self, min: MinRate, now: Duration) {
        for (_, meter) in &*self.meters() {
            meter.expire(min, now, self.arrived(meter));
        }
    }

    /// The client takes nothing.
    pub(super) fn block(&self, now: u32) {
        // The first time counts; nobody else writes between the two.
        if self.blocked.load(Relaxed) == NEVER {
            self.blocked.store(now.min(NEVER - 1), Relaxed);
        }
    }

    /// It takes something.
    pub(super) fn unblock(&self) {
        self.blocked.store(NEVER, Relaxed);
    }

    pub(super) fn closes_if_idle(&self) -> bool {
        self.close_if_idle.load(Relaxed)
    }

    pub(super) fn is_timed_out(&self) -> bool {
        self.timed_out.load(Relaxed)
    }

    pub(super) fn leaves(&self) -> bool {
        self.leave.load(Relaxed)
    }

    /// The goodbye has been said to a WebSocket; from now on its client has a while to answer.
    pub(super) fn part(&self, now: u32) {
        self.parting.store(true, Relaxed);
        self.touch(now);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    fn wake_all(&self) {
        self.reader.wake();
        self.writer.wake();
        self.task.wake();
    }
}

/// The phase of that number.
fn phase_of(number: u8) -> Phase {
    [Phase::Idle, Phase::Head, Phase::Busy, Phase::Streams, Phase::Upgrading, Phase::Tunnel]
        .into_iter()
        .find(|phase| *phase as u8 == number)
        .unwrap_or(Phase::Lingering)
}
