//! Kept connections to one upstream, of one worker: last in, first out, so that the surplus ages and goes.
//!
//! # Rules
//!
//! - A connection is kept for as long as the upstream's `Keep-Alive: timeout` says, less a second; else for a second.
//! - Before it is used again it is looked into: what the upstream closed, or wrote unasked, is dropped.
//! - A request that may not be repeated takes only a connection that was idle for less than half of its time: closing
//!   by the upstream's timer and our writing would cross, and nobody could tell whether it was executed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http_body::Body;
use hyper::client::conn::http1::SendRequest;
use tokio::sync::OwnedSemaphorePermit;

use crate::gateway::clock::{Ticks, ticks};
use crate::gateway::socket::{Socket, Waiting};

/// How long a connection is kept where the upstream says nothing. Node's default is 5 s, gunicorn's 2 s.
const UNKNOWN: Duration = Duration::from_secs(1);

/// A connection that can send a request.
#[derive(Debug)]
pub(crate) struct Kept<B> {
    pub(crate) sender: SendRequest<B>,
    socket: Rc<Socket>,
    /// Counts against the cap of the process while the connection lives.
    _permit: OwnedSemaphorePermit,
    idle_since: u32,
    keep: u32,
    /// Which program it leads to: a restart makes all older ones useless.
    generation: u32,
    pub(crate) reused: bool,
}

impl<B> Kept<B> {
    pub(crate) fn new(
        sender: SendRequest<B>,
        socket: Rc<Socket>,
        permit: OwnedSemaphorePermit,
        generation: u32,
    ) -> Self {
        Self { sender, socket, _permit: permit, idle_since: 0, keep: ticks(UNKNOWN), generation, reused: false }
    }

    /// Learns how long the upstream keeps it.
    pub(crate) fn keep_for(&mut self, seconds: u64) {
        self.keep = ticks(Duration::from_secs(seconds).saturating_sub(Duration::from_secs(1)));
    }

    fn idle(&self, now: u32) -> u32 {
        now.saturating_sub(self.idle_since)
    }
}

/// Kept connections. Clones share them.
#[derive(Debug)]
pub(crate) struct Pool<B>(Rc<Inner<B>>);

#[derive(Debug)]
struct Inner<B> {
    idle: RefCell<Vec<Kept<B>>>,
    generation: Cell<u32>,
    ticks: Ticks,
}

impl<B> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Body + 'static> Pool<B> {
    pub(crate) fn new(ticks: Ticks) -> Self {
        Self(Rc::new(Inner { idle: RefCell::default(), generation: Cell::new(0), ticks }))
    }

    pub(crate) fn generation(&self) -> u32 {
        self.0.generation.get()
    }

    /// A connection that can be used now, if one is kept.
    pub(crate) fn take(&self, repeatable: bool) -> Option<Kept<B>> {
        let now = self.0.ticks.now();
        loop {
            let mut kept = {
                let mut idle = self.0.idle.borrow_mut();
                let last = idle.last()?;
                let patience = if repeatable { last.keep } else { last.keep / 2 };
                if !repeatable && last.idle(now) >= patience && last.idle(now) < last.keep {
                    // Too old for this request, young enough for another. All below it are older still.
                    return None;
                }
                idle.pop()?
            };
            let usable = kept.idle(now) < kept.keep
                && kept.generation == self.generation()
                && kept.sender.is_ready()
                && kept.socket.peek() == Waiting::Nothing;
            if usable {
                kept.reused = true;
                return Some(kept);
            }
        }
    }

    /// Keeps a connection whose last answer has ended.
    pub(crate) fn give_back(&self, mut kept: Kept<B>) {
        if kept.sender.is_ready() {
            self.keep(kept);
        } else if !kept.sender.is_closed() {
            // Its task has yet to see that the exchange is over; most have when we come here.
            let pool = self.clone();
            tokio::task::spawn_local(async move {
                if kept.sender.ready().await.is_ok() {
                    pool.keep(kept);
                }
            });
        }
    }

    fn keep(&self, mut kept: Kept<B>) {
        if kept.generation == self.generation() && kept.keep > 0 {
            kept.idle_since = self.0.ticks.now();
            self.0.idle.borrow_mut().push(kept);
        }
    }

    /// Drops what was idle for too long. Called by the sweep.
    pub(crate) fn expire(&self) {
        let now = self.0.ticks.now();
        self.0.idle.borrow_mut().retain(|kept| kept.idle(now) < kept.keep);
    }

    /// Drops everything: the upstream is another one now.
    pub(crate) fn clear(&self) {
        self.0.generation.set(self.generation().wrapping_add(1));
        self.0.idle.borrow_mut().clear();
    }

    /// How many connections are kept.
    pub(crate) fn idle(&self) -> usize {
        self.0.idle.borrow().len()
    }
}
