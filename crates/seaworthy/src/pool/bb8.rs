//! Pools of `bb8`.

use bb8::{ManageConnection, RunError};

use super::{Observed, Pool, Reading};

impl<M: ManageConnection> Pool for bb8::Pool<M> {
    fn read(&self) -> Reading {
        let state = self.state();
        Reading {
            size: u64::from(state.connections),
            idle: u64::from(state.idle_connections),
            max: u64::from(self.config().max_size),
            waiting: state.statistics.pending_gets(),
        }
    }
}

impl<M: ManageConnection> Observed<bb8::Pool<M>> {
    /// Takes a connection, which is tested unless `test_on_check_out` is off: what a check of health does.
    ///
    /// # Errors
    ///
    /// Whatever the pool says.
    pub async fn ping(&self) -> Result<(), RunError<M::Error>> {
        self.acquiring(self.pool.get()).await.map(drop)
    }
}
