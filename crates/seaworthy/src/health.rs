//! The last snapshot of health: written by whoever runs the checks, read by probes.

use std::sync::Arc;

use seaworthy_core::health::Snapshot;
use tokio::sync::watch;

/// Where the last [`Snapshot`] is kept. Clones share it; reading costs a reference count.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<watch::Sender<Arc<Snapshot>>>);

impl Health {
    /// The last snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.borrow().clone()
    }

    /// Puts a new snapshot in the place of the last one.
    pub fn publish(&self, snapshot: Snapshot) {
        self.0.send_replace(Arc::new(snapshot));
    }

    /// Changes the last snapshot. Several writers so keep out of each other's way: each touches what is its own.
    pub fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        self.0.send_modify(|snapshot| change(Arc::make_mut(snapshot)));
    }

    /// Follows the snapshots. What was replaced between two looks is not seen.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.subscribe()
    }
}
