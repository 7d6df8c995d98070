//! What checks of dependencies cost, and what they withstand: a thousand of them, probes while everything around them is at its
//! limit, and how soon an outage is seen.

mod cost;
mod siege;
mod subject;

use anyhow::Result;

use super::peer::{Peer, Setup};

/// Measures, and prints a line each.
pub(super) fn measure(title: &str, seconds: u32, origin: &Peer, setup: &Setup) -> Result<()> {
    println!("\n{title}");
    cost::measure(origin, seconds, setup)?;
    siege::live(origin, seconds, setup)?;
    siege::no_query(seconds, setup)?;
    siege::outage(setup)
}
