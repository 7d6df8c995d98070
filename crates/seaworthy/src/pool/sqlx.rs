//! Pools of `sqlx`.

use sqlx::{Connection as _, Database};

use super::{Observed, Pool, Reading};

impl<D: Database> Pool for sqlx::Pool<D> {
    fn read(&self) -> Reading {
        Reading {
            size: u64::from(self.size()),
            idle: self.num_idle() as u64,
            max: u64::from(self.options().get_max_connections()),
            // It does not say.
            waiting: 0,
        }
    }
}

impl<D: Database> Observed<sqlx::Pool<D>> {
    /// Takes a connection and asks the database whether it is there: what a check of health does. An exhausted pool fails it
    /// too, after the pool's own `acquire_timeout`.
    ///
    /// # Errors
    ///
    /// Whatever `sqlx` says.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        self.acquiring(self.pool.acquire()).await?.ping().await
    }
}
