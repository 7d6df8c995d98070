//! Looks at every connection of a worker each tick: the timers of all of them in one place.
//!
//! | a connection that | is |
//! | --- | --- |
//! | waits for a next request longer than `limits.idle-timeout` | closed, unless something arrived |
//! | has half a head for longer than `limits.head-timeout` | answered 408 |
//! | sends its body more slowly than `limits.body-min-rate` | answered 408 |
//! | takes nothing of its answer for `limits.send-timeout` | cut |
//! | waits for an answer longer than `limits.request-timeout` | answered 504 |
//! | is silent for two seconds after its last answer | closed |

use std::rc::Rc;
use std::time::{Duration, Instant};

use seaworthy_core::pace::MinRate;

use super::Worker;
use crate::clock::{TICK, ticks};
use crate::connection::ConnectionSettings;
use crate::connection::state::{Connection, Order, Phase};

/// How long the rest of a request is waited for.
const LINGER: Duration = Duration::from_secs(2);

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
    let now = worker.ticks.now();
    worker.registry.each(|connection| {
        if let Some(order) = verdict(worker, &settings, connection, now) {
            connection.order(order);
        }
    });
}

fn verdict(worker: &Worker, settings: &ConnectionSettings, connection: &Connection, now: u32) -> Option<Order> {
    let since = now.saturating_sub(connection.since());
    if let Some(blocked) = connection.write_wait.get()
        && now.saturating_sub(blocked) > ticks(settings.send_timeout)
    {
        return Some(Order::Cut);
    }
    match connection.phase() {
        Phase::Idle if worker.finishing.get() || since > ticks(settings.idle_timeout) => Some(Order::CloseIfIdle),
        Phase::Head if since > ticks(settings.head_timeout) => Some(Order::TimeOut),
        Phase::Busy => {
            if too_slow(settings, connection, now) {
                connection.expire_body();
            }
            None
        }
        Phase::Streams if connection.requests.get() > 0 => {
            connection.touch(now);
            (too_slow(settings, connection, now)).then_some(Order::Cut).or_else(|| farewell(worker, connection))
        }
        Phase::Streams if since > ticks(settings.idle_timeout) && !connection.told.replace(true) => Some(Order::Leave),
        Phase::Streams if worker.finishing.get() && !connection.told.replace(true) => Some(Order::Leave),
        Phase::Streams => farewell(worker, connection),
        Phase::Lingering if since > ticks(LINGER) => Some(Order::Cut),
        Phase::Idle | Phase::Head | Phase::Tunnel | Phase::Lingering => None,
    }
}

/// A connection of HTTP/2 that was accepted during the drain may make one request before it is told to leave.
fn farewell(worker: &Worker, connection: &Connection) -> Option<Order> {
    let late = worker.farewell.get().is_some_and(|began| connection.opened >= began);
    (late && connection.used.get() && !connection.told.replace(true)).then_some(Order::Leave)
}

/// Whether the client brought less of its body in the last while than it must.
fn too_slow(settings: &ConnectionSettings, connection: &Connection, now: u32) -> bool {
    let Some(bytes_a_second) = settings.body_min_rate else { return false };
    let mut pace = connection.pace.get();
    let min = MinRate { bytes_a_second, over: settings.body_grace };
    let too_slow = pace.is_too_slow(min, TICK * now, connection.read.get());
    connection.pace.set(pace);
    too_slow
}
