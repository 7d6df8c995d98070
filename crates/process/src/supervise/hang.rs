//! Whether the program hangs: it answers neither us nor anybody else.
//!
//! An overloaded program is not a hung one. It may be too slow for our question while it answers others; to restart it
//! then would take away the little that works. So a failure counts only while nothing else is completed either.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::probe;
use crate::config::Protocol;

/// Counts questions without an answer.
#[derive(Debug)]
struct Silence {
    most: NonZeroU32,
    failures: u32,
    completed: u64,
}

impl Silence {
    fn new(most: NonZeroU32, completed: u64) -> Self {
        Self { most, failures: 0, completed }
    }

    /// Takes the outcome of a question, and how many responses others have had so far. Says whether it hangs.
    fn asked(&mut self, answered: bool, completed: u64) -> bool {
        let others_served = completed != self.completed;
        self.completed = completed;
        self.failures = if answered || others_served { 0 } else { self.failures.saturating_add(1) };
        self.failures >= self.most.get()
    }
}

/// How to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) port: u16,
    pub(super) path: &'a str,
    pub(super) protocol: Protocol,
    pub(super) every: Duration,
    pub(super) failures: NonZeroU32,
}

impl Question<'_> {
    /// Completes when the program hangs.
    pub(super) async fn unanswered(self, completed: &(dyn Fn() -> u64 + Send + Sync)) {
        let mut silence = Silence::new(self.failures, completed());
        let mut ticks = interval_at(tokio::time::Instant::now() + self.every, self.every);
        // We were held up, not the program: no burst of questions to make up for it.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let answered = timeout(self.every, self.ask()).await.unwrap_or(false);
            if silence.asked(answered, completed()) {
                return;
            }
        }
    }

    /// Answers as the kubelet takes them: anything from 200 to 399 is well.
    async fn ask(&self) -> bool {
        let Ok((address, stream)) = probe::connect(self.port).await else { return false };
        let status = probe::get(address, stream, self.path, self.protocol).await;
        status.is_ok_and(|status| status.is_success() || status.is_redirection())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

    #[test]
    fn three_silences_in_a_row_are_a_hang() {
        let mut silence = Silence::new(THREE, 7);
        let asked = [false, false, true, false, false, false].map(|answered| silence.asked(answered, 7));
        assert_eq!(asked, [false, false, false, false, false, true]);
    }

    #[test]
    fn a_response_to_somebody_else_meanwhile_starts_the_count_again() {
        let mut silence = Silence::new(THREE, 0);
        let asked = [0, 0, 1, 1, 1, 1].map(|completed| silence.asked(false, completed));
        assert_eq!(asked, [false, false, false, false, false, true]);
    }
}
