//! What is counted of calls to services.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seaworthy::core::metric::{DURATIONS, Exposition, Kind, Observed};
use seaworthy::core::refusal::Reason;
use seaworthy::metrics::{Called, write_breakers, write_hedges, write_retries};

use super::service::Service;
use Kind::{Counter, Gauge, Histogram};

/// How calls end besides a refusal.
const ANSWERED: [&str; 2] = ["answered", "server_error"];

/// Counts of one service. Written by the thread that calls it, read by any.
#[derive(Debug, Default)]
pub(super) struct Measured {
    answered: [AtomicU64; ANSWERED.len()],
    refused: [AtomicU64; Reason::ALL.len()],
    durations: [AtomicU64; DURATIONS.len() + 1],
    nanos: AtomicU64,
    active: AtomicU64,
}

/// A call that runs. Dropped, it is over, however it ended.
#[derive(Debug)]
pub(super) struct Running<'m>(&'m Measured);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Measured {
    pub(super) fn begin(&self) -> Running<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// The head of an answer is there.
    pub(super) fn answered(&self, status: u16, refusal: Option<Reason>, took: Duration) {
        let place = refusal.and_then(|refusal| Reason::ALL.iter().position(|reason| *reason == refusal));
        let count = place.map_or_else(|| &self.answered[usize::from(status >= 500)], |place| &self.refused[place]);
        count.fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = DURATIONS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATIONS.len());
        self.durations[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn read(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

pub(super) fn write(page: &mut Exposition, services: &[Arc<Service>]) {
    if services.is_empty() {
        return;
    }
    breakers(page, services);
    let help =
        "Calls that the program made through us, by how they ended: an answer, a 5xx answer, or a refusal of ours.";
    let mut family = page.family("egress_requests_total", Counter, help);
    for service in services {
        let measured = &service.counted.measured;
        for (outcome, count) in ANSWERED.iter().zip(&measured.answered) {
            family.sample(&[("service", service.name()), ("outcome", outcome)], read(count));
        }
        for (reason, count) in Reason::ALL.iter().zip(&measured.refused).filter(|(_, count)| read(count) > 0) {
            family.sample(&[("service", service.name()), ("outcome", reason.name())], read(count));
        }
    }
    let help = "Time from a call of the program to the head of its answer, retries included.";
    let mut family = page.family("egress_duration_seconds", Histogram, help);
    for service in services {
        let measured = &service.counted.measured;
        let counts: Vec<_> = measured.durations.iter().map(read).collect();
        let sum = Duration::from_nanos(read(&measured.nanos)).as_secs_f64();
        let observed = Observed { bounds: &DURATIONS, counts: &counts, sum, exemplar: None };
        family.histogram(&[("service", service.name())], &observed);
    }
    let mut family = page.family("egress_active_requests", Gauge, "Calls that wait for the head of their answer.");
    for service in services {
        family.sample(&[("service", service.name())], read(&service.counted.measured.active));
    }
}

fn breakers(page: &mut Exposition, services: &[Arc<Service>]) {
    let standings: Vec<_> = services.iter().map(|service| (service, service.standing())).collect();
    let breakers = standings.iter().map(|(service, standing)| {
        let transitions = service.counted.transitions.each_ref().map(read);
        Called { service: service.name(), breaker: standing.breaker, transitions }
    });
    write_breakers(page, &breakers.collect::<Vec<_>>());
    let retries = standings.iter().map(|(service, standing)| (service.name(), standing.retries));
    write_retries(page, &retries.collect::<Vec<_>>());
    let hedges = standings.iter().filter_map(|(service, standing)| Some((service.name(), standing.hedges?)));
    write_hedges(page, &hedges.collect::<Vec<_>>());
}
