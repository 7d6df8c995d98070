//! Whom limits and credentials kept out, as families that the service counts in as well: what is refused in front of it, and what it refuses
//! by itself, stand together.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Weak};

use seaworthy_core::metric::Exposition;
use seaworthy_core::metric::Kind;
use seaworthy_core::refusal::Reason;

use super::families::{AuthFailures, RateLimitHits};
use super::{Counter, FamilyError, Metrics, counter, lock};
use crate::limit::rate::{Limiter, RateLimitLayer};

/// Refusals of who did not say, or may not be, who he is.
const UNKNOWN: [Reason; 2] = [Reason::Unauthenticated, Reason::Forbidden];

counter! {
    /// Requests of clients that shared an allowance because too many were known, by endpoint.
    struct Overflows("seaworthy_rate_limit_overflows_total") { endpoint: &str }
}

/// What is shown of them.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Not kept: what they report to may be these metrics.
    rates: Mutex<Vec<Weak<Limiter>>>,
    /// Whether those for want of credentials are shown.
    credentials: AtomicBool,
    mirrors: Mutex<Vec<Mirror>>,
}

/// A number that is kept elsewhere, as part of a counter that others may add to.
struct Mirror {
    counter: Counter,
    /// `None` where it is gone.
    read: Box<dyn Fn() -> Option<u64> + Send>,
    /// How much of it the counter has.
    told: u64,
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror").field("told", &self.told).finish_non_exhaustive()
    }
}

impl Refusals {
    fn mirror(&self, counter: Counter, read: impl Fn() -> Option<u64> + Send + 'static) {
        lock(&self.mirrors).push(Mirror { counter, read: Box::new(read), told: 0 });
    }

    /// Brings the counters up to date: nothing is added to them while requests are served.
    pub(super) fn catch_up(&self) {
        lock(&self.mirrors).retain_mut(|Mirror { counter, read, told }| {
            let Some(now) = read() else { return false };
            counter.add(now.saturating_sub(*told));
            *told = now;
            true
        });
    }

    pub(super) fn write(&self, page: &mut Exposition) {
        let rates = lock(&self.rates).clone();
        if rates.is_empty() {
            return;
        }
        page.family("rate_limit_keys", Kind::Gauge, "Clients that have used some of their allowance of requests.")
            .sample(&[], rates.iter().filter_map(Weak::upgrade).map(|rate| rate.keys() as u64).sum::<u64>());
    }
}

impl Metrics {
    /// Shows whom a rate limit refuses, under its [name](crate::limit::rate::RateLimit::name) as the label `endpoint`, and how many clients it
    /// knows. That of [`Builder::rate_limit`](crate::production::Builder::rate_limit) is shown already.
    ///
    /// ```
    /// use seaworthy::core::metric::Format;
    /// use seaworthy::limit::rate::{RateLimit, RateLimitLayer};
    /// use seaworthy::metrics::Metrics;
    ///
    /// let metrics = Metrics::new("shop");
    /// let login = RateLimitLayer::new(RateLimit::new("5/min".parse()?).name("/login"));
    /// metrics.watch_rate_limit(&login)?;
    /// let page = String::from_utf8(metrics.exposition(Format::Text)).expect("text is UTF-8");
    /// assert!(page.contains("rate_limit_hits_total{endpoint=\"/login\"} 0\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the service has another family called `rate_limit_hits_total`.
    pub fn watch_rate_limit(&self, limit: &RateLimitLayer) -> Result<(), FamilyError> {
        let Some(name) = limit.name() else { return Ok(()) };
        let (hits, overflows) = (RateLimitHits::register(self)?.with(name), Overflows::register(self)?.with(name));
        let mut rates = lock(&self.0.refusals.rates);
        let limit = limit.downgrade();
        if rates.iter().any(|known| known.ptr_eq(&limit)) {
            return Ok(());
        }
        rates.push(limit.clone());
        let overflowing = limit.clone();
        self.0.refusals.mirror(hits, move || Some(limit.upgrade()?.counts().refused));
        self.0.refusals.mirror(overflows, move || Some(overflowing.upgrade()?.counts().overflowed));
        Ok(())
    }

    /// Shows which requests were refused for want of credentials. Not in every page of metrics: the gateway's stands beside that of a
    /// program, which may well count this by itself.
    pub(crate) fn watch_credentials(&self) -> Result<(), FamilyError> {
        let failures = AuthFailures::register(self)?;
        if self.0.refusals.credentials.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        for reason in UNKNOWN {
            let requests = self.0.requests.clone();
            self.0.refusals.mirror(failures.with(reason.name()), move || Some(requests.refused(reason)));
        }
        Ok(())
    }
}
