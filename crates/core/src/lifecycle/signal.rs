//! What a repeated stop signal means.
//!
//! npm, make and foreman pass on a signal that the terminal already sent to the whole group, so that one Ctrl-C
//! arrives twice. A second within a second is that echo; a later one is a person who does not want to wait.

use std::time::{Duration, Instant};

/// Signals closer together than this are one.
const ECHO: Duration = Duration::from_secs(1);

/// What to do about a stop signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Urgency {
    /// The first: begin the drain.
    Begin,
    /// An echo of the one before.
    Ignore,
    /// Somebody insists: end now, and take the program's group along.
    Force,
}

/// Remembers when the first stop signal came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Repeats {
    first: Option<Instant>,
}

impl Repeats {
    /// Takes a stop signal at `now`.
    pub fn signal(&mut self, now: Instant) -> Urgency {
        match self.first {
            None => {
                self.first = Some(now);
                Urgency::Begin
            }
            Some(first) if now.saturating_duration_since(first) < ECHO => Urgency::Ignore,
            Some(_) => Urgency::Force,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_within_a_second_is_ignored_and_a_later_signal_forces() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.signal(start), Urgency::Begin);
        assert_eq!(repeats.signal(start + Duration::from_millis(999)), Urgency::Ignore);
        assert_eq!(repeats.signal(start + Duration::from_secs(1)), Urgency::Force);
    }

    #[test]
    fn echoes_do_not_push_the_moment_of_forcing_away() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        for tenth in 0..10 {
            let _ = repeats.signal(start + Duration::from_millis(tenth * 100));
        }
        assert_eq!(repeats.signal(start + Duration::from_millis(1100)), Urgency::Force);
    }
}
