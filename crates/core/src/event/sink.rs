//! Who takes facts.

use super::Event;

/// Takes facts. Cheap to call and never waits: what has to be written is handed on.
pub trait Sink: Send + Sync {
    fn emit(&self, event: &Event);
}

/// A sink that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Sink for Nowhere {
    fn emit(&self, _: &Event) {}
}
