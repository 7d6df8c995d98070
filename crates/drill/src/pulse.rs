//! How late the drill itself is: a judgement by time is worth nothing on a machine that stands still.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

const BEAT: Duration = Duration::from_millis(20);

/// Less is ordinary scheduling.
const NOTED: Duration = Duration::from_millis(50);

/// Delays of our own runtime. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<Mutex<Vec<(Instant, Duration)>>>);

impl Pulse {
    /// Beats until the runtime ends.
    pub(crate) fn start() -> Self {
        let pulse = Self::default();
        let beating = pulse.clone();
        tokio::spawn(async move {
            loop {
                let before = Instant::now();
                sleep(BEAT).await;
                let late = before.elapsed().saturating_sub(BEAT);
                if late > NOTED {
                    beating.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), late));
                }
            }
        });
        pulse
    }

    /// For how long we stood still since `start`, all together.
    pub(crate) fn total_since(&self, start: Instant) -> Duration {
        let delays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        delays.iter().filter(|(at, _)| *at >= start).map(|(_, late)| *late).sum()
    }

    /// The longest time that we stood still since `start`.
    pub(crate) fn worst_since(&self, start: Instant) -> Duration {
        let delays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        delays.iter().filter(|(at, _)| *at >= start).map(|(_, late)| *late).max().unwrap_or_default()
    }
}
