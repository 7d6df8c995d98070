//! What each worker counts, without asking anybody else.

mod cells;
mod shard;

pub use self::cells::{Cells, Counted, OUTCOMES, Open, UpstreamSeries};
pub use self::shard::Shard;
