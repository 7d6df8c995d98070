//! One of many does something at a time: an advisory lock of PostgreSQL (13.3.5), held for as long as its connection lives.
//!
//! Whoever dies lets go: the server sees the connection end. A pooler that gives the session to others after each transaction
//! would take the lock away; it has to be asked for directly.

use std::fmt;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::dial::{Connection, Server};
use super::failed;
use crate::probe::{Failure, driven};
use crate::surroundings::Surroundings;

/// How often the server is asked whether it is still there; a network that is cut says nothing.
const PULSE: Duration = Duration::from_secs(10);

/// A lock that is held. Dropping it lets go.
pub struct Lock(Connection);

impl Lock {
    /// Waits until nobody else holds `key` in the database of `server`; `waiting` is called once where that takes a while.
    ///
    /// # Errors
    ///
    /// [`Failure`] as a check of the kind has it: refused, not signed in, no answer.
    pub async fn acquire(
        server: &Server,
        surroundings: &Surroundings,
        key: i64,
        waiting: impl FnOnce() + Send,
    ) -> Result<Self, Failure> {
        let mut connection = server.connect(surroundings).await?;
        let Connection { client, driver } = &mut connection;
        driven(taken(client, key, waiting), driver).await?;
        Ok(Self(connection))
    }

    /// Completes when it is not held any more, and says why.
    pub async fn lost(&mut self) -> Failure {
        let Connection { client, driver } = &mut self.0;
        let asked = async {
            loop {
                sleep(PULSE).await;
                match timeout(PULSE, client.batch_execute("SELECT 1")).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return failed(&error),
                    Err(_) => return Failure::refused("the server does not answer any more"),
                }
            }
        };
        tokio::select! {
            ended = driver => match ended {
                Ok(()) => Failure::refused("the server closed the connection"),
                Err(error) => failed(&error),
            },
            failure = asked => failure,
        }
    }
}

async fn taken(client: &Client, key: i64, waiting: impl FnOnce() + Send) -> Result<(), Failure> {
    let error = |error: tokio_postgres::Error| failed(&error);
    // Limits that the role may have are for its queries. Waiting has a limit of its own.
    client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await.map_err(error)?;
    // Only since version 14; before, there is nothing to switch off.
    let _ = client.batch_execute("SET idle_session_timeout = 0").await;
    let tried = client.query_typed("SELECT pg_try_advisory_lock($1)", &[(&key, Type::INT8)]).await.map_err(error)?;
    let free = tried.first().map(|row| row.try_get::<_, bool>(0)).transpose().map_err(error)?;
    if free != Some(true) {
        waiting();
        client.query_typed("SELECT pg_advisory_lock($1)", &[(&key, Type::INT8)]).await.map_err(error)?;
    }
    Ok(())
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}
