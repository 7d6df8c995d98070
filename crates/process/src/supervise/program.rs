//! The program that runs at this moment, for those who only want to know of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::environment::Ports;
use super::family::Family;

/// The program that runs, if one does. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Program(Arc<Mutex<Option<Running>>>);

#[derive(Debug, Clone)]
struct Running {
    family: Family,
    ports: Option<Ports>,
}

impl Program {
    pub(super) fn runs(&self, family: Family, ports: Option<Ports>) {
        *self.running() = Some(Running { family, ports });
    }

    pub(super) fn ended(&self) {
        *self.running() = None;
    }

    pub(super) fn family(&self) -> Option<Family> {
        self.running().as_ref().map(|running| running.family.clone())
    }

    pub(super) fn ports(&self) -> Option<Ports> {
        self.running().as_ref().and_then(|running| running.ports)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
