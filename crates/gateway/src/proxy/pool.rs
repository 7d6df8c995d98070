//! Kept connections to one upstream, of one worker: last in, first out, so that the surplus ages and goes.
//!
//! # Rules
//!
//! - A connection is kept for as long as the upstream's `Keep-Alive: timeout` says, less a second; else for a second.
//! - Before a request that may not be repeated takes one, it is looked into: what the upstream closed, or wrote unasked,
//!   is dropped. A request that may be repeated goes by what the runtime has heard of the connection, which saves that
//!   system call: it is repeated, if the connection proves to be gone.
//! - A request that may not be repeated takes only a connection that was idle for less than half of its time: closing
//!   by the upstream's timer and our writing would cross, and nobody could tell whether it was executed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::http1::Kept;
use crate::clock::Ticks;

/// Kept connections. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    #[expect(clippy::vec_box, reason = "they move with every request, and a box is what moves cheaply")]
    /// In boxes: they move from here into the body of an answer and back with every request.
    idle: RefCell<Vec<Box<Kept>>>,
    generation: Cell<u32>,
    ticks: Ticks,
}

impl Pool {
    pub(crate) fn new(ticks: Ticks) -> Self {
        Self(Rc::new(Inner { idle: RefCell::default(), generation: Cell::new(0), ticks }))
    }

    pub(crate) fn generation(&self) -> u32 {
        self.0.generation.get()
    }

    /// A connection that can be used now, if one is kept.
    pub(crate) fn take(&self, repeatable: bool) -> Option<Box<Kept>> {
        let now = self.0.ticks.now();
        loop {
            let kept = {
                let mut idle = self.0.idle.borrow_mut();
                let last = idle.last()?;
                let patience = if repeatable { last.keep } else { last.keep / 2 };
                if !repeatable && last.idle(now) >= patience && last.idle(now) < last.keep {
                    // Too old for this request, young enough for another. All below it are older still.
                    return None;
                }
                idle.pop()?
            };
            if kept.idle(now) < kept.keep && kept.generation == self.generation() && kept.is_alive(repeatable) {
                return Some(kept);
            }
        }
    }

    /// Keeps a connection whose exchange is over.
    pub(crate) fn give_back(&self, mut kept: Box<Kept>) {
        if kept.generation == self.generation() && kept.keep > 0 && kept.is_whole() {
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
