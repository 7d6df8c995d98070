//! Looks at every connection of a worker each tick: the timers of all of them in one place.
//!
//! What becomes of a connection is decided by [`connection`](seaworthy_core::connection), with `limits.head-timeout`,
//! `limits.idle-timeout` and `limits.send-timeout`; of a body that comes more slowly than `limits.body-min-rate` by
//! [`pace`](seaworthy_core::pace): it is answered 408. So are the alarms of requests rung here (`limits.request-timeout`, 504).

use std::rc::Rc;
use std::time::Instant;

use seaworthy_core::connection::{Patience, Phase};
use seaworthy_core::pace::MinRate;
use seaworthy_core::tick::TICK;

use super::Worker;
use crate::connection::ConnectionSettings;
use crate::connection::state::Connection;

pub(super) async fn run(worker: Rc<Worker>, start: Instant) {
    let mut interval = tokio::time::interval(TICK);
    // After a stall one look is as good as many.
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        worker.ticks.set(start.elapsed());
        worker.share.turned.set(worker.ticks.now() as usize);
        once(&worker);
        worker.alarms.ring();
        worker.proxy.expire();
        worker.observer.tick();
    }
}

pub(super) fn once(worker: &Worker) {
    let settings = worker.connection_settings.borrow();
    let patience = Patience::new(settings.head_timeout, settings.idle_timeout, settings.send_timeout);
    let (drain, now) = (worker.drain.get(), worker.ticks.now());
    worker.registry.each(|connection| {
        if matches!(connection.phase(), Phase::Busy | Phase::Streams) {
            expire(&settings, connection, now);
        }
        if let Some(order) = patience.order(drain, connection.found(now), now) {
            connection.order(order);
        }
    });
}

/// Lets bodies fail of which the client brought less in the last while than it must.
fn expire(settings: &ConnectionSettings, connection: &Connection, now: u32) {
    if let Some(bytes_a_second) = settings.body_min_rate {
        let min = MinRate { bytes_a_second, over: settings.body_grace };
        connection.meters.expire(min, TICK * now, connection.read());
    }
}
