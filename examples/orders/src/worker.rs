//! The worker: fulfils orders, and is no request.
//!
//! A shutdown asks it to end when requests have, so that an order of the last second is still queued; it finishes the job in its hands and
//! leaves the rest to the next process. Until the tables are there it holds readiness back.

use std::pin::pin;
use std::time::Duration;

use seaworthy::background::BackgroundWork;
use seaworthy::core::backoff::Backoff;
use seaworthy::health::{Health, ReadinessGuard};
use tokio::time::{Instant, sleep};

use crate::business::Business;
use crate::checks::MIGRATIONS;
use crate::clock;
use crate::queue::{Queue, QueueError};
use crate::store::Store;

/// How often it looks for jobs that another process pushed.
const IDLE: Duration = Duration::from_millis(500);

/// How often it looks for orders that no queue knows of, and how old they are then.
const SEARCH: Duration = Duration::from_secs(2);
const FORGOTTEN: Duration = Duration::from_secs(2);

/// How long it waits for what it needs, from a moment to a few.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), factor: 2, longest: Duration::from_secs(2) };

/// Fulfils what the queue holds.
pub(crate) struct Fulfilment {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) business: Business,
}

impl Fulfilment {
    /// Until the shutdown asks it to end.
    pub(crate) async fn run(self, work: BackgroundWork, health: Health, ready: ReadinessGuard) {
        let mut stopping = pin!(work.stopping());
        let mut failures = 0;
        while let Err(error) = self.store.migrate().await {
            if failures == 0 {
                tracing::warn!(%error, "the tables cannot be brought up to date yet");
            }
            let pause = BACKOFF.full_jitter(failures, fastrand::f64());
            failures += 1;
            tokio::select! {
                () = &mut stopping => return ready.release(),
                () = sleep(pause) => {}
            }
        }
        tracing::info!("tables are up to date");
        health.mark_initialized(MIGRATIONS);
        ready.ready();

        let (mut failures, mut searched, mut counted) = (0, Instant::now(), None::<Instant>);
        loop {
            if counted.is_none_or(|counted| counted.elapsed() >= IDLE) {
                counted = Some(Instant::now());
                // Whether it can be asked is seen by what comes next.
                if let Ok(waiting) = self.queue.waiting().await {
                    self.business.waiting(waiting);
                }
            }
            // Never dropped halfway: a job that was begun is ended.
            let round = match self.next().await {
                Ok(false) if searched.elapsed() >= SEARCH => {
                    searched = Instant::now();
                    self.search().await.map(|()| false)
                }
                round => round,
            };
            let pause = match round {
                Ok(more) => {
                    if std::mem::take(&mut failures) > 0 {
                        tracing::info!("the worker goes on");
                    }
                    if more { Duration::ZERO } else { IDLE }
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(%error, "the worker waits");
                    }
                    failures += 1;
                    BACKOFF.full_jitter(failures - 1, fastrand::f64())
                }
            };
            tokio::select! {
                biased;
                () = &mut stopping => break,
                () = self.queue.news(), if failures == 0 => {}
                () = sleep(pause) => {}
            }
        }
        tracing::info!("worker ended");
        ready.release();
    }

    /// Does one job. Gives whether there was one.
    async fn next(&self) -> Result<bool, QueueError> {
        let Some(order) = self.queue.take().await? else { return Ok(false) };
        match self.store.fulfil_order(&order).await? {
            Some(placed_at) => {
                let after = u64::try_from(clock::now() - placed_at).unwrap_or(0);
                self.business.provisioned(Duration::from_millis(after));
                self.business.processed("completed");
                tracing::info!(order, "order fulfilled");
            }
            None => self.business.processed("skipped"),
        }
        self.queue.done(&order).await?;
        Ok(true)
    }

    /// Queues again what was placed while the queue was away, or was in the hands of a process that died.
    async fn search(&self) -> Result<(), QueueError> {
        for order in self.store.forgotten_orders(clock::now() - clock::millis(FORGOTTEN)).await? {
            if self.queue.push(&order).await? {
                tracing::warn!(order, "an order was forgotten, and is queued again");
            }
        }
        Ok(())
    }
}
