//! `mysql`: MySQL or MariaDB answers a query in time, and how near its limits it is
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>).
//!
//! The part of the protocol that a check needs is small. A client library would bring pools, prepared statements and types,
//! resolve names by itself, and add more to the binary than all other kinds together.

mod handshake;
mod packet;
mod password;
mod query;
mod refusal;
mod server;
mod statistics;

use std::time::{Duration, Instant};

use self::query::Answer;
pub use self::server::{Server, ServerError};
use crate::condition::Condition;
use crate::database;
use crate::kept::{Conversation, Question};
use crate::probe::{Failure, Report};
use crate::surroundings::Surroundings;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    /// Run in a session that cannot write. Default: `SELECT 1`.
    pub query: Option<String>,
    /// What the first value of the first row must be like.
    pub condition: Option<Condition>,
    /// More connections in use are a warning. In percent of `max_connections`; default 80.
    pub warn_percent: u8,
}

/// A session, one question at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    packets: packet::Packets,
    /// The version of MariaDB, or of MySQL.
    version: String,
    is_mariadb: bool,
    /// After how long the server gives up on a statement, as it was told last.
    patience: Option<Duration>,
    /// Whether the user may ask how replication goes; unknown before it was asked.
    may_ask_for_replication: Option<bool>,
}

impl Conversation for Settings {
    type Connection = Connection;

    async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        self.server.connect(surroundings).await
    }

    async fn ask(&self, connection: &mut Connection, question: Question) -> Result<Report, Failure> {
        connection.limit(database::patience(question.limit)).await?;
        // One statement a question, and a session that cannot write: a transaction that cannot would be ended by any
        // statement about tables or users, which commits by itself, and then does what it says (MariaDB 10.11).
        let answer = connection.query(self.query.as_deref().unwrap_or("SELECT 1")).await?;
        if let Some(condition) = &self.condition {
            let row = answer.rows.first().ok_or_else(database::no_row)?;
            let value = row.first().and_then(Option::as_deref).unwrap_or("null");
            database::demand(condition, value)?;
        }
        let mut report = statistics::read(connection, self.warn_percent).await?;
        if question.closely {
            let began = Instant::now();
            connection.query("SELECT COUNT(*) FROM information_schema.tables").await?;
            report = database::catalogue(report, began.elapsed())?;
        }
        Ok(report)
    }

    /// Without it the server would log that a client was lost.
    fn farewell(&self, connection: &mut Connection) {
        connection.packets.quit();
    }
}

impl Connection {
    /// Tells the server after how long to give up on a statement, unless it knows.
    async fn limit(&mut self, patience: Duration) -> Result<(), Failure> {
        if self.patience != Some(patience) {
            let set = if self.is_mariadb {
                format!("SET SESSION max_statement_time = {}", patience.as_secs_f64())
            } else {
                // MySQL knows it for reads only, which is all that a session of ours does.
                format!("SET SESSION max_execution_time = {}", patience.as_millis())
            };
            self.query(&set).await?;
            self.patience = Some(patience);
        }
        Ok(())
    }

    async fn query(&mut self, sql: &str) -> Result<Answer, Failure> {
        query::ask(&mut self.packets, sql).await
    }
}
