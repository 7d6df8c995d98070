//! A queue in the database, for whoever has no other.

use std::time::Duration;

use sqlx::Row as _;

use crate::clock;
use crate::store::Store;

/// For so long a job is that of whoever took it: many times what one takes.
const LEASE: Duration = Duration::from_secs(5);

/// Jobs in the table `jobs`. Clones are the same.
#[derive(Clone)]
pub(super) struct TableQueue {
    store: Store,
}

impl TableQueue {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether it was not there yet.
    pub(super) async fn push(&self, order: &str) -> Result<bool, sqlx::Error> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query(
            "INSERT INTO jobs (order_id, queued_at, taken_until) VALUES ($1, $2, 0) ON CONFLICT (order_id) DO NOTHING",
        );
        let query = query.bind(order).bind(clock::now()).execute(&mut *connection);
        Ok(self.store.queries().timed("push_job", query).await?.rows_affected() == 1)
    }

    /// The time is asked for twice, because of two that want the same job one waits for the other's row and looks at it again: the one that
    /// comes second gets nothing. It needs no words that only one of the databases knows.
    pub(super) async fn take(&self) -> Result<Option<String>, sqlx::Error> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query(
            "UPDATE jobs SET taken_until = $1 WHERE taken_until < $2 AND order_id = \
             (SELECT order_id FROM jobs WHERE taken_until < $2 ORDER BY queued_at LIMIT 1) RETURNING order_id",
        );
        let now = clock::now();
        let row = query.bind(now + clock::millis(LEASE)).bind(now).fetch_optional(&mut *connection);
        self.store.queries().timed("take_job", row).await?.map(|row| row.try_get("order_id")).transpose()
    }

    pub(super) async fn done(&self, order: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query("DELETE FROM jobs WHERE order_id = $1").bind(order).execute(&mut *connection);
        self.store.queries().timed("delete_job", query).await.map(drop)
    }

    pub(super) async fn waiting(&self) -> Result<u64, sqlx::Error> {
        let mut connection = self.store.connection().await?;
        let row = sqlx::query("SELECT count(*) AS waiting FROM jobs").fetch_one(&mut *connection);
        let waiting: i64 = self.store.queries().timed("count_jobs", row).await?.try_get("waiting")?;
        Ok(u64::try_from(waiting).unwrap_or(0))
    }
}
