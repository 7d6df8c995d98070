//! What a test asks afterwards.

use std::sync::{Mutex, PoisonError};

use super::{Event, Sink};

/// A sink that remembers what was said, in its words. For tests: it grows without end.
///
/// ```
/// use seaworthy_core::event::{Event, Memory, Sink};
/// use seaworthy_core::lifecycle::Cause;
///
/// let memory = Memory::default();
/// memory.emit(&Event::StopBegan { cause: Cause::Sigterm });
/// assert_eq!(memory.said(), ["SIGTERM received, starting graceful shutdown"]);
/// ```
#[derive(Debug, Default)]
pub struct Memory(Mutex<Vec<String>>);

impl Memory {
    /// All that was said, in order.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Memory {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.to_string());
    }
}
