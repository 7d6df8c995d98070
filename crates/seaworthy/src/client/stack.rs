//! All layers around a transport, in the one order that is right.

use std::sync::Arc;

use bytes::Buf;
use http_body::Body;
use seaworthy_core::event::Sink;
use seaworthy_core::timeout::Timeouts;
use tower_layer::Layer;

use super::{BuildError, Client, Refusing, TransportBuilder};
use crate::breaker::{Breaker, BreakerLayer, Fallback, Policy, Statuses};
use crate::bulkhead::{self, Bulkhead, BulkheadLayer};
use crate::hedge::{self, Hedge, HedgeLayer};
use crate::limit::time::TimeLimitLayer;
use crate::retry::{self, BudgetPolicy, Retry, RetryLayer};

/// What calls to one service go through. Clones share the breaker, the budget and the bulkhead.
#[derive(Clone)]
pub struct Stack {
    breaker: Breaker,
    statuses: Statuses,
    fallback: Option<Fallback>,
    retry: Retry,
    hedge: Option<Hedge>,
    buffer: u64,
    bulkhead: Bulkhead,
    timeouts: Timeouts,
    name: Arc<str>,
    sink: Arc<dyn Sink>,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Stack {
    /// With default retries, bulkhead and timeouts. `name` is what events and metrics call the service.
    pub fn new(name: impl Into<Arc<str>>, breaker: Policy, sink: Arc<dyn Sink>) -> Self {
        let name = name.into();
        Self {
            breaker: Breaker::new(name.clone(), breaker, sink.clone()),
            statuses: Statuses::default(),
            fallback: None,
            retry: Retry::new(name.clone(), retry::Policy::default(), sink.clone()),
            hedge: None,
            buffer: 64 * 1024,
            bulkhead: Bulkhead::new(name.clone(), bulkhead::Policy::default(), sink.clone()),
            timeouts: Timeouts::default(),
            name,
            sink,
        }
    }

    /// Which answers are failures.
    #[must_use]
    pub fn statuses(mut self, statuses: Statuses) -> Self {
        self.statuses = statuses;
        self
    }

    /// Answers this while the breaker is open.
    #[must_use]
    pub fn fallback(mut self, fallback: impl Into<Option<Fallback>>) -> Self {
        self.fallback = fallback.into();
        self
    }

    /// What is tried again, within which budget, and up to which size of a body in bytes. Default: 3 retries, 20%, 64 KiB.
    #[must_use]
    pub fn retries(mut self, policy: retry::Policy, budget: BudgetPolicy, buffer: u64) -> Self {
        self.retry = Retry::within(budget, self.name.clone(), policy, self.sink.clone());
        self.hedge = self.hedge.map(|hedge| Hedge::new(hedge.policy(), self.retry.clone()));
        self.buffer = buffer;
        self
    }

    /// Begins a second attempt beside one that is slow, within the budget of the retries. Default: none is begun.
    #[must_use]
    pub fn hedge(mut self, policy: hedge::Policy) -> Self {
        self.hedge = Some(Hedge::new(policy, self.retry.clone()));
        self
    }

    /// How many calls run and wait. Default: 100 and 100.
    #[must_use]
    pub fn bulkhead(mut self, policy: bulkhead::Policy) -> Self {
        self.bulkhead = Bulkhead::new(self.name.clone(), policy, self.sink.clone());
        self
    }

    /// Default: 3 s to connect, 10 s an attempt, 30 s in all, 60 s idle.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The breaker that was made for it; another one from a stack before keeps what it saw.
    #[must_use]
    pub fn with_breaker(mut self, breaker: Breaker) -> Self {
        self.breaker = breaker;
        self
    }

    /// The breaker of all clients that came of this stack.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// The retries of all clients that came of this stack.
    pub fn retry(&self) -> &Retry {
        &self.retry
    }

    /// The second attempts of all clients that came of this stack, where there are some.
    pub fn hedges(&self) -> Option<&Hedge> {
        self.hedge.as_ref()
    }

    /// The places of all clients that came of this stack.
    pub fn places(&self) -> &Bulkhead {
        &self.bulkhead
    }

    /// A client over a transport of its own, whose connect timeout is that of the stack.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if TLS cannot be set up.
    pub fn over<B>(&self, transport: &TransportBuilder) -> Result<Client<B>, BuildError>
    where
        B: Body + Send + 'static + Unpin,
        B::Data: Send + Buf,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let transport = transport.clone().connect_timeout(self.timeouts.connect()).build()?;
        let breaker = BreakerLayer::new(self.breaker.clone()).statuses(self.statuses.clone());
        let breaker = match &self.fallback {
            Some(fallback) => breaker.fallback(fallback.clone()),
            None => breaker,
        };
        let attempt = TimeLimitLayer::new(self.timeouts.attempt());
        let attempt = attempt.layer(Refusing::new(transport, self.timeouts.idle()));
        let guarded = breaker.layer(BulkheadLayer::new(self.bulkhead.clone()).layer(attempt));
        let hedged = self.hedge.clone().map(HedgeLayer::new).unwrap_or_default().layer(guarded);
        let retried = RetryLayer::new(self.retry.clone()).total(self.timeouts.total()).buffer(self.buffer);
        let retried = retried.hedged(self.hedge.is_some());
        Ok(Client::new(TimeLimitLayer::new(self.timeouts.total()).layer(retried.layer(hedged))))
    }
}

#[cfg(test)]
mod tests;
