//! One service: its client, and what is counted of it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Incoming;
use seaworthy::breaker::{Snapshot, State, Statuses, Totals};
use seaworthy::client::{self, Client, Roots, RootsError, Stack, Transport};
use seaworthy::core::event::{Event, Sink};
use seaworthy::{hedge, retry};

use super::metrics::Measured;
use super::resolver;
use super::view::BreakerView;
use crate::config::{self, Secret};

/// Why a service cannot be called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("egress.{name}: ca-file {path} cannot be read: {source}", path = path.display())]
    CaFile { name: String, path: PathBuf, source: std::io::Error },
    #[error("egress.{name}: ca-file {path} {source}", path = path.display())]
    Roots { name: String, path: PathBuf, source: RootsError },
    #[error("egress.{name}: {source}")]
    Transport { name: String, source: client::BuildError },
}

/// A service that can be called.
pub(super) struct Service {
    pub(super) config: config::Egress,
    stack: Stack,
    pub(super) client: Client<Incoming>,
    credentials: Vec<(HeaderName, HeaderValue)>,
    pub(super) counted: Arc<Counted>,
}

/// What outlives a reload, so that no counter ever falls.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) measured: Measured,
    /// Transitions to closed, half-open and open.
    pub(super) transitions: [AtomicU64; 3],
    before: std::sync::Mutex<Before>,
}

/// What the breakers, the retries and the second attempts before counted.
#[derive(Debug, Default)]
struct Before {
    totals: Totals,
    opened: u64,
    retries: retry::Counts,
    hedges: hedge::Counts,
}

/// How a service stands, with what was counted before a reload.
pub(super) struct Standing {
    pub(super) breaker: Snapshot,
    pub(super) retries: retry::Counts,
    /// `None` where there are no second attempts, and never were any.
    pub(super) hedges: Option<hedge::Counts>,
}

/// Counts transitions on their way to the sink: a number and the log line beside it come from the same event.
struct Tally {
    counted: Arc<Counted>,
    sink: Arc<dyn Sink>,
}

impl Sink for Tally {
    fn emit(&self, event: &Event) {
        let to = match event {
            Event::BreakerClosed { .. } => Some(State::Closed),
            Event::BreakerHalfOpen { .. } => Some(State::HalfOpen),
            Event::BreakerOpened { .. } => Some(State::Open),
            _ => None,
        };
        if let Some(to) = to {
            self.counted.transitions[index(to)].fetch_add(1, Ordering::Relaxed);
        }
        self.sink.emit(event);
    }
}

fn index(state: State) -> usize {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}

impl Service {
    /// A service as `config` describes it. Where its breaker is to be the same as that of `old`, it keeps what it saw.
    pub(super) fn build(config: &config::Egress, old: Option<&Self>, sink: &Arc<dyn Sink>) -> Result<Self, BuildError> {
        let counted = old.map(|old| old.counted.clone()).unwrap_or_default();
        let name = || config.name.clone();
        let roots = match &config.ca_file {
            None => Roots::public(),
            Some(path) => {
                let failed = |source| BuildError::CaFile { name: name(), path: path.clone(), source };
                let pem = std::fs::read(path).map_err(failed)?;
                let roots = Roots::none().and_pem(&pem);
                roots.map_err(|source| BuildError::Roots { name: name(), path: path.clone(), source })?
            }
        };
        let sink: Arc<dyn Sink> = Arc::new(Tally { counted: counted.clone(), sink: sink.clone() });
        let mut stack = Stack::new(config.name.as_str(), config.breaker, sink)
            .statuses(Statuses::ignoring(config.ignored.iter().copied()))
            .fallback(config.fallback.clone())
            .retries(config.retry.clone(), config.budget, config.retry_body)
            .bulkhead(config.bulkhead)
            .timeouts(config.timeouts);
        if let Some(policy) = config.hedge {
            stack = stack.hedge(policy);
        }
        if let Some(old) = old.filter(|old| old.config.breaker == config.breaker) {
            stack = stack.with_breaker(old.stack.breaker().clone());
        }
        let transport = Transport::builder().resolver(resolver::of(&config.url, &config.private)).roots(roots);
        let client = stack.over(&transport).map_err(|source| BuildError::Transport { name: name(), source })?;
        let credentials = config.credentials.iter().filter_map(credential).collect();
        Ok(Self { config: config.clone(), stack, client, credentials, counted })
    }

    /// Comes into force, in place of `old`: what that counted is counted on.
    pub(super) fn take_over(&self, old: Option<&Self>) {
        if let Some(old) = old {
            self.counted.remember(old, old.config.breaker == self.config.breaker);
        }
        self.stack.breaker().set_mode(self.config.mode);
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// Adds what the program does not hold, in place of what it sent under the same names.
    pub(super) fn authorize(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.credentials {
            headers.insert(name, value.clone());
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let mut breaker = self.stack.breaker().snapshot();
        let before = self.counted.before();
        breaker.totals = plus(breaker.totals, before.totals);
        breaker.opened += before.opened;
        let hedges = with_hedges(before.hedges, self.hedges());
        let shown = self.stack.hedges().is_some() || hedges != hedge::Counts::default();
        Standing {
            breaker,
            retries: with_retries(before.retries, self.stack.retry().counts()),
            hedges: shown.then_some(hedges),
        }
    }

    fn hedges(&self) -> hedge::Counts {
        self.stack.hedges().map(hedge::Hedge::counts).unwrap_or_default()
    }

    pub(super) fn view(&self) -> BreakerView {
        BreakerView::of(self.name(), &self.standing(), self.stack.places().occupancy())
    }

    /// Closes the breaker. Whether it was not closed before.
    pub(super) fn reset(&self) -> bool {
        self.stack.breaker().reset()
    }

    /// How the breaker stands.
    pub(super) fn state(&self) -> State {
        self.stack.breaker().snapshot().state
    }
}

/// A header as it is sent; marked, so that neither a print nor a compression table keeps it (RFC 7541, 7.1.3).
fn credential((name, secret): &(HeaderName, Secret)) -> Option<(HeaderName, HeaderValue)> {
    // One that cannot be sent was refused when the configuration was loaded.
    let mut value = HeaderValue::from_str(secret.expose()).ok()?;
    value.set_sensitive(true);
    Some((name.clone(), value))
}

impl Counted {
    fn before(&self) -> std::sync::MutexGuard<'_, Before> {
        self.before.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn remember(&self, old: &Service, keeps_breaker: bool) {
        let snapshot = old.stack.breaker().snapshot();
        let mut before = self.before();
        if !keeps_breaker {
            before.totals = plus(before.totals, snapshot.totals);
            before.opened += snapshot.opened;
        }
        before.retries = with_retries(before.retries, old.stack.retry().counts());
        before.hedges = with_hedges(before.hedges, old.hedges());
    }
}

fn with_retries(one: retry::Counts, other: retry::Counts) -> retry::Counts {
    retry::Counts { retries: one.retries + other.retries, exhausted: one.exhausted + other.exhausted }
}

fn with_hedges(one: hedge::Counts, other: hedge::Counts) -> hedge::Counts {
    hedge::Counts {
        begun: one.begun + other.begun,
        won: one.won + other.won,
        lost: one.lost + other.lost,
        exhausted: one.exhausted + other.exhausted,
    }
}

fn plus(one: Totals, other: Totals) -> Totals {
    Totals {
        succeeded: one.succeeded + other.succeeded,
        failed: one.failed + other.failed,
        slow: one.slow + other.slow,
        ignored: one.ignored + other.ignored,
        cancelled: one.cancelled + other.cancelled,
        refused: one.refused + other.refused,
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.config.name).finish_non_exhaustive()
    }
}
