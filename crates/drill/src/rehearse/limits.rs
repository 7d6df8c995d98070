//! What is too much, too slow or ambiguous.

use std::time::Duration;

mod rates;
mod sizes;
mod slow;
mod strange;

pub(crate) use rates::RATES;
pub(crate) use sizes::SIZES;
pub(crate) use slow::SLOW;
pub(crate) use strange::STRANGE;

const LIMIT: Duration = Duration::from_secs(10);
