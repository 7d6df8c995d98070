//! Looks at every connection of a server each tick: the timers of all of them in one place.
//!
//! What becomes of a connection is decided by [`connection`](seaworthy_core::connection); of a body that comes too slowly by
//! [`pace`](seaworthy_core::pace): it is answered 408.

use std::sync::Weak;

use seaworthy_core::connection::{Drain, Patience, Phase};
use seaworthy_core::pace::MinRate;
use seaworthy_core::tick::{TICK, ticks};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::state::Connection;
use super::{ConnectionLimits, Shared};

/// Sweeps until the server is gone.
pub(super) async fn run(shared: Weak<Shared>) {
    let began = Instant::now();
    let mut interval = interval(TICK);
    // After a stall one look is as good as many.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.registry.set_now(ticks(began.elapsed()));
        once(&shared);
    }
}

pub(super) fn once(shared: &Shared) {
    let ConnectionLimits { head_timeout, idle_timeout, send_timeout, .. } = shared.limits;
    let patience = Patience::new(head_timeout, idle_timeout, send_timeout);
    let (drain, now) = (shared.drain(), shared.registry.now());
    shared.registry.each(|connection| look(shared, connection, patience, drain, now));
}

fn look(shared: &Shared, connection: &Connection, patience: Patience, drain: Drain, now: u32) {
    if matches!(connection.phase(), Phase::Busy | Phase::Streams) {
        expire(shared, connection);
    }
    if let Some(order) = patience.order(drain, connection.found(now), now) {
        connection.order(order);
    } else if connection.phase() == Phase::Tunnel && connection.leaves() {
        // Whoever reads tries again to say what did not fit into the socket, or not between two frames.
        connection.reader.wake();
    }
}

/// Lets bodies fail of which too little came, in the last while that somebody waited for them.
fn expire(shared: &Shared, connection: &Connection) {
    let ConnectionLimits { body_min_rate, body_grace: over, .. } = shared.limits;
    if let Some(bytes_a_second) = body_min_rate {
        connection.expire_bodies(MinRate { bytes_a_second, over }, shared.registry.time());
    }
}
