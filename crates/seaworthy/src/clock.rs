//! The one clock of the library: tokio's, so that a paused one moves everything.

use std::time::Instant;

/// Now. The same as [`Instant::now`], unless a test has paused time.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
