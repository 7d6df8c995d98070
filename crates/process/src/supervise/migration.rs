//! A migration, under a lock where several replicas start at once.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use seaworthy_checks::kinds::postgres::Lock;
use seaworthy_checks::{Failure, Surroundings};
use seaworthy_core::event::{Event, Sink};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::command::{CommandError, Commands};
use crate::config::{Migration, MigrationLock};

/// Why a migration did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrationError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("its lock in the database of the check {check:?} cannot be had: {failure}")]
    Lock { check: String, failure: Failure },
    #[error("another replica held its lock for longer than {limit:?}")]
    Locked { limit: Duration },
    #[error("its lock was lost, so that another replica may have begun: {failure}")]
    Lost { failure: Failure },
    #[error("it was called off before it began")]
    CalledOff,
}

impl MigrationError {
    /// What it said last.
    pub(super) fn last_lines(&self) -> &[String] {
        match self {
            Self::Command(error) => error.last_lines(),
            _ => &[],
        }
    }
}

/// Runs a migration. Told by `interrupt`, it gets a TERM and may roll back; dropped unfinished, it is killed.
pub(super) async fn run(
    commands: &Commands,
    surroundings: &Surroundings,
    migration: &Migration,
    interrupt: &Notify,
) -> Result<(), MigrationError> {
    let mut held = match &migration.lock {
        None => None,
        Some(lock) => Some(acquire(lock, surroundings, migration, &commands.sink, interrupt).await?),
    };
    let lost = async {
        match &mut held {
            Some(lock) => lock.lost().await,
            None => pending().await,
        }
    };
    let mut running = std::pin::pin!(commands.migration(migration, interrupt));
    tokio::select! {
        done = &mut running => Ok(done?),
        failure = lost => {
            // As if it was called off: what it did not finish it may roll back.
            interrupt.notify_one();
            let _ = running.await;
            Err(MigrationError::Lost { failure })
        }
    }
}

async fn acquire(
    lock: &MigrationLock,
    surroundings: &Surroundings,
    migration: &Migration,
    sink: &Arc<dyn Sink>,
    interrupt: &Notify,
) -> Result<Lock, MigrationError> {
    let MigrationLock { check, server, key } = lock;
    let waiting = || {
        sink.emit(&Event::MigrationWaits { migration: migration.name.clone(), check: check.clone() });
    };
    let acquired = Lock::acquire(server, surroundings, *key, waiting);
    let limit = migration.timeout;
    tokio::select! {
        acquired = in_time(acquired, limit) => match acquired {
            Some(Ok(lock)) => Ok(lock),
            Some(Err(failure)) => Err(MigrationError::Lock { check: check.clone(), failure }),
            None => Err(MigrationError::Locked { limit }),
        },
        () = interrupt.notified() => Err(MigrationError::CalledOff),
    }
}

async fn in_time<T>(work: impl Future<Output = T>, limit: Duration) -> Option<T> {
    timeout(limit, work).await.ok()
}
