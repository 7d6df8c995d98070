//! Times and ids as they are stored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds of the Unix epoch, now.
pub(crate) fn now() -> i64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// So many milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A new id, such as `order_0199c2a7f3e18c61d2b94a5e7f`. Made here and not by the database, so that an insert can be repeated; those of
/// one process ascend with time, which keeps an index small.
pub(crate) fn new_id(kind: &str) -> String {
    format!("{kind}_{:012x}{:014x}", now(), fastrand::u64(..) >> 8)
}
