//! The database: one pool that is watched, and one way to a connection.
//!
//! SQLite and PostgreSQL read the same SQL here, so that `sqlx::Any` serves both. What is asked stands with what it is about:
//! [`orders`](crate::orders), [`signups`](crate::signups), [`invoices`](crate::invoices), [`payments`](crate::payments).

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use seaworthy::core::event::Sink;
use seaworthy::database::Queries;
use seaworthy::metrics::{FamilyError, Metrics};
use seaworthy::pool::{self, Observed};
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Executor as _};

use crate::settings::Database;

/// Whoever waits longer for a connection is told that there is none: the client still listens, and others may come.
const ACQUIRE: Duration = Duration::from_secs(2);

/// Part of the program, so that a version of it and the tables that it needs cannot come apart.
const MIGRATIONS: [(i64, &str, &str); 2] =
    [(1, "orders", include_str!("../migrations/1_orders.sql")), (2, "jobs", include_str!("../migrations/2_jobs.sql"))];

/// Where orders are kept. Clones share the pool.
#[derive(Clone)]
pub(crate) struct Store {
    pool: Observed<AnyPool>,
    queries: Queries,
    kind: &'static str,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Metrics(#[from] FamilyError),
}

impl Store {
    /// Connects to nobody yet: the service starts without its database, and says so by its probes.
    pub(crate) fn open(
        database: &Database,
        connections: NonZeroU32,
        metrics: &Metrics,
        sink: Arc<dyn Sink>,
    ) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let mut options = AnyPoolOptions::new().max_connections(connections.get()).acquire_timeout(ACQUIRE);
        if let Database::Sqlite { .. } = database {
            // Readers and the writer keep out of each other's way.
            options = options.after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute("PRAGMA journal_mode = WAL").await?;
                    connection.execute("PRAGMA synchronous = NORMAL").await.map(drop)
                })
            });
        }
        let pool = options.connect_lazy(&database.url())?;
        let pool = pool::observe(&pool).name("main").sink(sink).register(metrics)?;
        Ok(Self { pool, queries: Queries::register(metrics)?, kind: database.kind() })
    }

    /// Brings the tables up to date. Where several replicas start at once, one migrates and the others wait for it.
    pub(crate) async fn migrate(&self) -> Result<(), MigrateError> {
        let migrations = MIGRATIONS
            .map(|(version, name, sql)| Migration::new(version, name.into(), MigrationType::Simple, sql.into(), false));
        let migrator = Migrator { migrations: Cow::Owned(migrations.into()), ..Migrator::DEFAULT };
        migrator.run(self.pool.pool()).await
    }

    /// A connection, with the time that it took to get one in `db_pool_wait_seconds`.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Any>, sqlx::Error> {
        self.pool.acquiring(self.pool.pool().acquire()).await
    }

    /// Times queries, by what the code calls them.
    pub(crate) fn queries(&self) -> &Queries {
        &self.queries
    }

    pub(crate) fn pool(&self) -> &Observed<AnyPool> {
        &self.pool
    }

    /// `postgres` or `sqlite`.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// What the check of health asks: over the same pool as requests, so that it also says when that is exhausted.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        self.pool.ping().await
    }

    /// Waits until nobody uses a connection any more, and closes all of them.
    pub(crate) async fn close(&self) {
        self.pool.pool().close().await;
        tracing::info!("database closed");
    }
}
