//! Reports a verdict when it turns, and not each time that it is asked for: a probe comes every second.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use seaworthy::core::event::{Event, Sink};
use seaworthy::core::lifecycle::State;
use seaworthy::probes::{Facts, Verdict};

/// What each verdict was when it was last asked for, over whichever listener.
pub(super) struct Turns {
    /// A bit for each verdict that was bad.
    failing: AtomicU8,
    sink: Arc<dyn Sink>,
}

impl Turns {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self { failing: AtomicU8::new(0), sink }
    }

    /// The shape for `path` gave no body, for the first time since it gave one.
    pub(super) fn misshapen(&self, path: &str, reason: &str) {
        self.sink.emit(&Event::ShapeFailed { path: path.to_owned(), reason: reason.to_owned() });
    }

    /// Somebody was answered `verdict` by `facts`.
    pub(super) fn answered(&self, verdict: Verdict, facts: &Facts) {
        // As it is for everybody: `?exclude` makes a verdict of its own, which is no news.
        let (answer, passes) = verdict.judge(&facts.snapshot, facts);
        let (bit, probe) = (1 << verdict as u8, verdict.name());
        if passes {
            if self.failing.fetch_and(!bit, Ordering::Relaxed) & bit != 0 {
                self.sink.emit(&Event::ProbeRecovered { probe, answer });
            }
        } else if is_news(verdict, facts.state) && self.failing.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            self.sink.emit(&Event::ProbeFailed { probe, answer });
        }
    }
}

/// A start and a stop withhold verdicts by design, and are reported as what they are.
fn is_news(verdict: Verdict, state: State) -> bool {
    verdict == Verdict::Live || state == State::Ready
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").field("failing", &self.failing).finish_non_exhaustive()
    }
}
