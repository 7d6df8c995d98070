//! A queue in Redis: a list of what waits, and a list of what was taken.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult, cmd};
use url::Url;

const WAITING: &str = "orders:waiting";
const TAKEN: &str = "orders:taken";

/// Longer than Redis needs for anything here. A request waits for it where Redis is away.
const PATIENCE: Duration = Duration::from_millis(500);

/// Jobs in lists of Redis. Clones share the connection, which comes back by itself when Redis does.
#[derive(Clone)]
pub(crate) struct RedisQueue {
    connection: ConnectionManager,
}

impl RedisQueue {
    pub(super) fn open(url: &Url) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            // Each command tries once: whether to try again is the worker's business.
            .set_number_of_retries(0);
        let connection = Client::open(url.as_str())?.get_connection_manager_lazy(config)?;
        Ok(Self { connection })
    }

    pub(super) async fn push(&self, order: &str) -> RedisResult<()> {
        cmd("LPUSH").arg(WAITING).arg(order).query_async(&mut self.connection.clone()).await
    }

    /// Moved and not popped: what a process had in its hands when it died can be seen, until its order is fulfilled.
    pub(super) async fn take(&self) -> RedisResult<Option<String>> {
        cmd("LMOVE").arg(WAITING).arg(TAKEN).arg("RIGHT").arg("LEFT").query_async(&mut self.connection.clone()).await
    }

    pub(super) async fn done(&self, order: &str) -> RedisResult<()> {
        cmd("LREM").arg(TAKEN).arg(0).arg(order).query_async(&mut self.connection.clone()).await
    }

    pub(super) async fn waiting(&self) -> RedisResult<u64> {
        cmd("LLEN").arg(WAITING).query_async(&mut self.connection.clone()).await
    }

    /// What the check of health asks.
    pub(crate) async fn ping(&self) -> RedisResult<()> {
        cmd("PING").query_async(&mut self.connection.clone()).await
    }
}
