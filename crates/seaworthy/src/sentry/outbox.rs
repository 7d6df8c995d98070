//! Reports that wait, bounded; and what became of those that did not arrive.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::envelope::{Discarded, Item};
use super::limits::Category;

/// How many reports may wait.
const MOST: usize = 100;

/// And how many bytes of them.
const MOST_BYTES: usize = 1024 * 1024;

/// Why reports did not arrive, as Sentry calls it
/// (<https://develop.sentry.dev/sdk/telemetry/client-reports/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    QueueOverflow,
    RateLimited,
    Network,
}

impl Loss {
    const ALL: [Self; 3] = [Self::QueueOverflow, Self::RateLimited, Self::Network];

    fn name(self) -> &'static str {
        match self {
            Self::QueueOverflow => "queue_overflow",
            Self::RateLimited => "ratelimit_backoff",
            Self::Network => "network_error",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    pub(super) changed: Notify,
    pub(super) sent: AtomicU64,
    pub(super) lost: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    closed: bool,
    /// What Sentry was not told of yet.
    discarded: [[u64; Category::ALL.len()]; Loss::ALL.len()],
}

impl Outbox {
    /// Whether there is room for one more: asked before it is made.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        state.items.len() < MOST && !state.closed
    }

    pub(super) fn has_items(&self) -> bool {
        !self.lock().items.is_empty()
    }

    pub(super) fn push(&self, item: Item) {
        let mut state = self.lock();
        if state.closed || state.items.len() >= MOST || state.bytes + item.payload.len() > MOST_BYTES {
            drop(state);
            return self.discard(Loss::QueueOverflow, item.category);
        }
        state.bytes += item.payload.len();
        state.items.push_back(item);
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn take(&self) -> Option<Item> {
        let mut state = self.lock();
        let item = state.items.pop_front()?;
        state.bytes -= item.payload.len();
        Some(item)
    }

    pub(super) fn discard(&self, loss: Loss, category: Category) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.lock().discarded[loss as usize][category as usize] += 1;
    }

    /// What was discarded since the last time; it is told once.
    pub(super) fn discarded(&self) -> Vec<Discarded> {
        let counts = std::mem::take(&mut self.lock().discarded);
        let losses = Loss::ALL.into_iter().zip(counts);
        let each = losses.flat_map(|(loss, counts)| {
            Category::ALL.into_iter().zip(counts).map(move |(category, quantity)| Discarded {
                category,
                reason: loss.name(),
                quantity,
            })
        });
        each.filter(|discarded| discarded.quantity > 0).collect()
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
