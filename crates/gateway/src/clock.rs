//! The coarse clock of one worker. The sweep advances it and looks at every connection.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use seaworthy_core::tick::ticks;

/// The clock of a worker. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticks(Rc<Cell<u32>>);

impl Ticks {
    pub(crate) fn now(&self) -> u32 {
        self.0.get()
    }

    /// Sets the clock to the time that has passed since the worker began.
    pub(crate) fn set(&self, since_start: Duration) {
        self.0.set(ticks(since_start));
    }
}
