//! Pools of `deadpool`.

use deadpool::managed::{Manager, Object, PoolError};

use super::{Observed, Pool, Reading};

impl<M: Manager + 'static, W: From<Object<M>> + 'static> Pool for deadpool::managed::Pool<M, W> {
    fn read(&self) -> Reading {
        let status = self.status();
        Reading {
            size: status.size as u64,
            idle: status.available as u64,
            max: status.max_size as u64,
            waiting: status.waiting as u64,
        }
    }
}

impl<M: Manager + 'static, W: From<Object<M>> + 'static> Observed<deadpool::managed::Pool<M, W>> {
    /// Takes a connection, which its manager tests as it does for anybody: what a check of health does.
    ///
    /// # Errors
    ///
    /// Whatever the pool says.
    pub async fn ping(&self) -> Result<(), PoolError<M::Error>> {
        self.acquiring(self.pool.get()).await.map(drop)
    }
}
