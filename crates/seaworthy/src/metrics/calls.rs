//! Breakers, retries and second attempts of calls to others, as families: the same ones in the gateway and in a service.

use std::sync::Mutex;

use seaworthy_core::breaker::{Snapshot, State};
use seaworthy_core::metric::Exposition;
use seaworthy_core::metric::Kind::{Counter, Gauge};

use super::{Metrics, lock};
use crate::breaker::{Breaker, Breakers};
use crate::hedge::{self, Hedge};
use crate::retry::{Counts, Retry};

const STATES: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

/// Those that are shown.
#[derive(Debug, Default)]
pub(super) struct Calls {
    breakers: Mutex<Vec<Breaker>>,
    keyed: Mutex<Vec<Breakers>>,
    retries: Mutex<Vec<Retry>>,
    hedges: Mutex<Vec<Hedge>>,
}

impl Calls {
    pub(super) fn breakers(&self) -> Vec<Breaker> {
        lock(&self.breakers).clone()
    }

    pub(super) fn write(&self, page: &mut Exposition) {
        let mut breakers = lock(&self.breakers).clone();
        let keyed = lock(&self.keyed).clone();
        breakers.extend(keyed.iter().flat_map(Breakers::all));
        let called = breakers.iter().map(|breaker| Called {
            service: breaker.name(),
            breaker: breaker.snapshot(),
            transitions: STATES.map(|state| breaker.transitions(state)),
        });
        write_breakers(page, &called.collect::<Vec<_>>());
        let retries = lock(&self.retries).clone();
        let counts = retries.iter().map(|retry| (&**retry.name(), retry.counts()));
        write_retries(page, &counts.collect::<Vec<_>>());
        let hedges = lock(&self.hedges).clone();
        let counts = hedges.iter().map(|hedge| (&**hedge.name(), hedge.counts()));
        write_hedges(page, &counts.collect::<Vec<_>>());
    }
}

impl Metrics {
    /// Shows a breaker, under its name as the label `service`, and at `/breakers`. Two of one name would be two series of one name: give each its own.
    ///
    /// ```
    /// use seaworthy::Lifecycle;
    /// use seaworthy::breaker::{Breaker, Policy};
    /// use seaworthy::core::metric::Format;
    /// use seaworthy::metrics::Metrics;
    ///
    /// let metrics = Metrics::new("shop");
    /// let stripe = Breaker::new("stripe", Policy::stripe(), Lifecycle::default().sink());
    /// metrics.watch_breaker(stripe);
    /// let page = String::from_utf8(metrics.exposition(Format::Text)).expect("text is UTF-8");
    /// assert!(page.contains("circuit_breaker_state{service=\"stripe\"} 0\n"));
    /// ```
    pub fn watch_breaker(&self, breaker: Breaker) {
        lock(&self.0.calls.breakers).push(breaker);
    }

    /// Shows the breakers of many hosts, each under its own name: `NAME/HOST`, and `NAME/other` for those beyond the limit.
    ///
    /// ```
    /// use std::num::NonZeroUsize;
    /// use seaworthy::Lifecycle;
    /// use seaworthy::breaker::{Breakers, Policy};
    /// use seaworthy::core::metric::Format;
    /// use seaworthy::metrics::Metrics;
    ///
    /// let metrics = Metrics::new("shop");
    /// let most = NonZeroUsize::new(100).expect("a hundred is not 0");
    /// let webhooks = Breakers::new("webhooks", Policy::default(), most, Lifecycle::default().sink());
    /// metrics.watch_breakers(webhooks.clone());
    /// webhooks.of(&"hooks.example.com".parse().expect("an authority"));
    /// let page = String::from_utf8(metrics.exposition(Format::Text)).expect("text is UTF-8");
    /// assert!(page.contains("circuit_breaker_state{service=\"webhooks/hooks.example.com\"} 0\n"));
    /// ```
    pub fn watch_breakers(&self, breakers: Breakers) {
        lock(&self.0.calls.keyed).push(breakers);
    }

    /// Shows how often calls were tried again, and how often they were not because the budget was exhausted; under the name of the retries
    /// as the label `service`.
    ///
    /// ```
    /// use seaworthy::Lifecycle;
    /// use seaworthy::metrics::Metrics;
    /// use seaworthy::retry::{Policy, Retry};
    ///
    /// let mail = Retry::new("mail", Policy::default(), Lifecycle::default().sink());
    /// Metrics::new("shop").watch_retry(mail);
    /// ```
    pub fn watch_retry(&self, retry: Retry) {
        lock(&self.0.calls.retries).push(retry);
    }

    /// Shows what became of second attempts, under the name of the retries whose budget they draw on as the label `service`.
    ///
    /// ```
    /// use seaworthy::Lifecycle;
    /// use seaworthy::core::metric::Format;
    /// use seaworthy::hedge::{self, Hedge};
    /// use seaworthy::metrics::Metrics;
    /// use seaworthy::retry::{self, Retry};
    ///
    /// let metrics = Metrics::new("shop");
    /// let retry = Retry::new("search", retry::Policy::default(), Lifecycle::default().sink());
    /// metrics.watch_hedge(Hedge::new(hedge::Policy::default(), retry));
    /// let page = String::from_utf8(metrics.exposition(Format::Text)).expect("text is UTF-8");
    /// assert!(page.contains("egress_hedges_total{service=\"search\",outcome=\"won\"} 0\n"));
    /// ```
    pub fn watch_hedge(&self, hedge: Hedge) {
        lock(&self.0.calls.hedges).push(hedge);
    }
}

/// What is shown of the calls to one service, for [`write_breakers`].
#[derive(Debug)]
pub struct Called<'c> {
    /// The value of the label `service`.
    pub service: &'c str,
    /// The breaker as it stands.
    pub breaker: Snapshot,
    /// How often it came to closed, half-open and open.
    pub transitions: [u64; 3],
}

/// Writes the families of breakers; nothing where there is none.
pub fn write_breakers(page: &mut Exposition, called: &[Called<'_>]) {
    if called.is_empty() {
        return;
    }
    let mut family = page.family("circuit_breaker_state", Gauge, "0 closed, 1 half-open, 2 open.");
    for Called { service, breaker, .. } in called {
        family.sample(&[("service", service)], breaker.state.number());
    }
    let help = "Calls that a breaker saw, by how they ended; `refused` ones were not made.";
    let mut family = page.family("circuit_breaker_calls_total", Counter, help);
    for Called { service, breaker, .. } in called {
        let totals = breaker.totals;
        for (outcome, count) in [
            ("success", totals.succeeded),
            ("failure", totals.failed),
            ("ignored", totals.ignored),
            ("cancelled", totals.cancelled),
            ("refused", totals.refused),
        ] {
            family.sample(&[("service", service), ("outcome", outcome)], count);
        }
    }
    let help = "Calls that took as long as slow ones do.";
    let mut family = page.family("circuit_breaker_slow_calls_total", Counter, help);
    for Called { service, breaker, .. } in called {
        family.sample(&[("service", service)], breaker.totals.slow);
    }
    let help = "Changes of the state of a breaker, by the state that it came to.";
    let mut family = page.family("circuit_breaker_transitions_total", Counter, help);
    for Called { service, transitions, .. } in called {
        for (to, count) in STATES.iter().zip(transitions) {
            family.sample(&[("service", service), ("to", to.name())], *count);
        }
    }
}

/// Writes the families of retries, by service; nothing where there is none.
pub fn write_retries(page: &mut Exposition, counts: &[(&str, Counts)]) {
    if counts.is_empty() {
        return;
    }
    let mut family = page.family("egress_retries_total", Counter, "Calls that were tried again.");
    for (service, counts) in counts {
        family.sample(&[("service", service)], counts.retries);
    }
    let help = "Calls that were not tried again, since too many were.";
    let mut family = page.family("retry_budget_exhausted_total", Counter, help);
    for (service, counts) in counts {
        family.sample(&[("service", service)], counts.exhausted);
    }
}

/// Writes the family of second attempts, by service; nothing where there is none.
pub fn write_hedges(page: &mut Exposition, counts: &[(&str, hedge::Counts)]) {
    if counts.is_empty() {
        return;
    }
    let help = "Calls that were slow enough for a second attempt, by what became of it: its answer was taken, it was not, or \
                the budget allowed none.";
    let mut family = page.family("egress_hedges_total", Counter, help);
    for (service, counts) in counts {
        for (outcome, count) in [("won", counts.won), ("lost", counts.lost), ("budget_exhausted", counts.exhausted)] {
            family.sample(&[("service", service), ("outcome", outcome)], count);
        }
    }
}
