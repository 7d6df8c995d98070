//! The order in which a service lets go of what it uses.
//!
//! > HTTP → workers → queues → caches → databases → telemetry
//!
//! What comes first uses what comes later: a request may still ask the database, and everything may still leave a word in
//! the log. Phases of one's own lie between.
//!
//! ```
//! use seaworthy::Phase;
//!
//! let exports = Phase::Queues.then("exports");
//! assert!(Phase::Queues < exports && exports < Phase::Caches);
//! assert_eq!(exports.name(), "exports");
//! ```

use std::fmt;

/// A step of the shutdown. Phases run one after the other, in their order; the hooks of one run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phase {
    /// Which of the standard phases it is, or follows.
    place: u8,
    /// How far behind that one.
    steps: u8,
    name: &'static str,
}

#[allow(non_upper_case_globals, reason = "they read as the variants of the list that this would be if it were closed")]
impl Phase {
    /// Requests have ended and the listener is closed.
    pub const Http: Self = Self::standard(0, "http");
    /// Background work: consumers, schedulers, whatever holds a [`BackgroundWork`](crate::background::BackgroundWork).
    pub const Workers: Self = Self::standard(1, "workers");
    /// Connections to brokers.
    pub const Queues: Self = Self::standard(2, "queues");
    /// Connections to caches.
    pub const Caches: Self = Self::standard(3, "caches");
    /// Connection pools of databases.
    pub const Databases: Self = Self::standard(4, "databases");
    /// The last logs, spans and metrics go out. It is held even where the stop was forced, for a second.
    pub const Telemetry: Self = Self::standard(5, "telemetry");

    const fn standard(place: u8, name: &'static str) -> Self {
        Self { place, steps: 0, name }
    }

    /// A phase of one's own, right behind this one and before the next of the standard ones. The same name behind the same
    /// phase is the same phase; of two names behind one phase, the one that comes first in the alphabet runs first.
    #[must_use]
    pub const fn then(self, name: &'static str) -> Self {
        Self { place: self.place, steps: self.steps.saturating_add(1), name }
    }

    /// The name in events.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_run_from_what_uses_to_what_is_used() {
        let order = [Phase::Http, Phase::Workers, Phase::Queues, Phase::Caches, Phase::Databases, Phase::Telemetry];
        assert!(order.is_sorted());
    }

    #[test]
    fn a_phase_of_ones_own_lies_between_the_one_it_follows_and_the_next() {
        let (first, second) = (Phase::Queues.then("exports"), Phase::Queues.then("exports").then("reports"));
        assert!(Phase::Queues < first && first < second && second < Phase::Caches);
        assert_eq!(first, Phase::Queues.then("exports"));
    }
}
