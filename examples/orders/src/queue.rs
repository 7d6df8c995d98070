//! The queue between requests and the worker: a table, or a list in Redis.
//!
//! It hands a job out at least once. The table of orders stays the truth: a job that comes twice does nothing the second time, and an order
//! that no queue knows of is [found](crate::worker) and queued again. So nothing is lost with Redis, and readiness need not depend on it.

mod redis;
mod table;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use url::Url;

use self::redis::RedisQueue;
use self::table::TableQueue;
use crate::store::Store;

/// How long the end waits for a last number.
const LAST_LOOK: Duration = Duration::from_millis(500);

/// Orders that wait to be fulfilled. Clones share it.
#[derive(Clone)]
pub(crate) struct Queue {
    kind: Kind,
    /// Something was pushed by this process: its worker need not wait for the next look.
    news: Arc<Notify>,
}

#[derive(Clone)]
enum Kind {
    Table(TableQueue),
    Redis(RedisQueue),
}

/// Why the queue could not be used. It never quotes the address of Redis, in which a password may stand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("the database: {0}")]
    Table(#[from] sqlx::Error),
    #[error("Redis: {0}")]
    Redis(#[from] ::redis::RedisError),
}

impl Queue {
    /// Connects to nobody yet.
    pub(crate) fn open(redis: Option<&Url>, store: &Store) -> Result<Self, QueueError> {
        let kind = match redis {
            Some(url) => Kind::Redis(RedisQueue::open(url)?),
            None => Kind::Table(TableQueue::new(store.clone())),
        };
        Ok(Self { kind, news: Arc::default() })
    }

    /// Adds a job. Twice is once, or harmless. Gives whether that was news to the queue, as far as it knows.
    pub(crate) async fn push(&self, order: &str) -> Result<bool, QueueError> {
        let is_new = match &self.kind {
            Kind::Table(table) => table.push(order).await?,
            Kind::Redis(redis) => redis.push(order).await.map(|()| true)?,
        };
        self.news.notify_one();
        Ok(is_new)
    }

    /// The next job: the id of an order. It is the caller's until [`Queue::done`].
    pub(crate) async fn take(&self) -> Result<Option<String>, QueueError> {
        Ok(match &self.kind {
            Kind::Table(table) => table.take().await?,
            Kind::Redis(redis) => redis.take().await?,
        })
    }

    /// A job that was taken needs nobody any more.
    pub(crate) async fn done(&self, order: &str) -> Result<(), QueueError> {
        match &self.kind {
            Kind::Table(table) => table.done(order).await?,
            Kind::Redis(redis) => redis.done(order).await?,
        }
        Ok(())
    }

    /// How many jobs wait.
    pub(crate) async fn waiting(&self) -> Result<u64, QueueError> {
        Ok(match &self.kind {
            Kind::Table(table) => table.waiting().await?,
            Kind::Redis(redis) => redis.waiting().await?,
        })
    }

    /// Completes when this process has pushed something.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Asks Redis whether it is there; `None` where there is none to ask.
    pub(crate) fn redis(&self) -> Option<RedisQueue> {
        match &self.kind {
            Kind::Redis(redis) => Some(redis.clone()),
            Kind::Table(_) => None,
        }
    }

    /// Says what is left to the next process. The worker has ended, and the database is still there, if it is: a stop while it is away is in
    /// order all the same.
    pub(crate) async fn close(&self) {
        match timeout(LAST_LOOK, self.waiting()).await {
            Ok(Ok(waiting)) => tracing::info!(waiting, "queue closed"),
            Ok(Err(error)) => tracing::warn!(%error, "queue closed, and nobody knows what is left"),
            Err(_) => tracing::warn!("queue closed, and nobody knows what is left"),
        }
    }
}
