//! A check of whatever kind whose address or secret is not set: it fails and says so, rather than that nothing starts.

use std::time::Duration;

use crate::probe::{Failure, Probe, Running};

/// What is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What would be asked.
    pub kind: &'static str,
    /// The environment variable that would say where.
    pub variable: String,
}

#[derive(Debug)]
pub(super) struct Unset(Settings);

impl Unset {
    pub(super) fn new(settings: Settings) -> Self {
        Self(settings)
    }
}

impl Probe for Unset {
    fn run(&mut self, _: Duration) -> Running<'_> {
        let failure = Failure::condition(format!("the environment variable {} is not set", self.0.variable));
        Box::pin(std::future::ready(Err(failure)))
    }
}
