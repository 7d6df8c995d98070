//! What each worker counts, without asking anybody else.

mod cells;
mod shard;

pub use self::cells::{CLIENT_ERRORS, Cells, Counted, OUTCOMES, Open, UpstreamSeries};
pub use self::shard::Shard;
