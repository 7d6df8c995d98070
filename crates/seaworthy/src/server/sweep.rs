//! Looks at every connection of a server each tick: the timers of all of them in one place.
//!
//! | a connection that | is |
//! | --- | --- |
//! | waits for a next request longer than the idle timeout | closed, unless something arrived |
//! | has half a head for longer than the head timeout | answered 408 |
//! | sends a body more slowly than it must | answered 408, on that stream alone over HTTP/2 |
//! | takes nothing of its answer for the send timeout | cut |
//! | is silent for two seconds after its last answer | cut |
//! | has not answered the close of its WebSocket for two seconds | cut |

use std::sync::Weak;
use std::time::Duration;

use seaworthy_core::pace::MinRate;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::state::{Connection, Phase, TICK, ticks};
use super::{ConnectionLimits, Shared};

/// How long the rest of a request is waited for, and a WebSocket may take to answer a close frame.
const LINGER: Duration = Duration::from_secs(2);

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
    let finishing = shared.is_finishing();
    shared.registry.each(|connection| look(shared, connection, finishing));
}

fn look(shared: &Shared, connection: &Connection, finishing: bool) {
    let (limits, now) = (&shared.limits, shared.registry.now());
    let since = now.saturating_sub(connection.since());
    let blocked = connection.blocked_since();
    if blocked.is_some_and(|since| now.saturating_sub(since) > ticks(limits.send_timeout)) {
        return connection.order_cut();
    }
    match connection.phase() {
        Phase::Idle if finishing || since > ticks(limits.idle_timeout) => connection.order_close_if_idle(),
        Phase::Head if since > ticks(limits.head_timeout) => connection.order_time_out(),
        Phase::Busy => expire(shared, connection),
        Phase::Streams if connection.requests() > 0 => {
            connection.touch(now);
            expire(shared, connection);
            farewell(shared, connection);
        }
        Phase::Streams if finishing || since > ticks(limits.idle_timeout) => leave(connection),
        Phase::Streams => farewell(shared, connection),
        Phase::Lingering if since > ticks(LINGER) => connection.order_cut(),
        Phase::Tunnel if connection.parts() && since > ticks(LINGER) => connection.order_cut(),
        // Whoever reads tries again to say what did not fit into the socket, or not between two frames.
        Phase::Tunnel if connection.leaves() => connection.reader.wake(),
        Phase::Idle | Phase::Head | Phase::Upgrading | Phase::Tunnel | Phase::Lingering => {}
    }
}

/// Lets bodies fail of which too little came, in the last while that somebody waited for them.
fn expire(shared: &Shared, connection: &Connection) {
    let ConnectionLimits { body_min_rate, body_grace: over, .. } = shared.limits;
    if let Some(bytes_a_second) = body_min_rate {
        connection.expire_bodies(MinRate { bytes_a_second, over }, shared.registry.time());
    }
}

fn leave(connection: &Connection) {
    if !connection.leaves() {
        connection.order_leave();
    }
}

/// A connection of HTTP/2 that was accepted during the drain may make one request before it is told to leave.
fn farewell(shared: &Shared, connection: &Connection) {
    let late = shared.farewell_since().is_some_and(|began| connection.opened >= began);
    if late && connection.used() {
        leave(connection);
    }
}
