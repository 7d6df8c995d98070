//! `postgres`: PostgreSQL answers a query in time, and how near its limits it is. PgBouncer's own database is understood.

mod dial;
mod lock;
mod statistics;

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Instant;

use futures_util::TryStreamExt as _;
use seaworthy_core::health::Class;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, SimpleQueryMessage};

use self::dial::Connection;
pub use self::dial::{Server, ServerError};
pub use self::lock::Lock;
use crate::condition::Condition;
use crate::database;
use crate::kept::{Conversation, Question};
use crate::probe::{Failure, Report, chain, io_kind};
use crate::surroundings::Surroundings;

/// The database in which PgBouncer tells of itself.
const PGBOUNCER: &str = "pgbouncer";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    /// Run in a transaction that cannot write. Default: `SELECT 1`.
    pub query: Option<String>,
    /// What the first value of the first row must be like.
    pub condition: Option<Condition>,
    /// More connections in use are a warning. In percent of `max_connections`; default 80.
    pub warn_percent: u8,
}

impl Conversation for Settings {
    type Connection = Connection;

    async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        self.server.connect(surroundings).await
    }

    async fn ask(&self, connection: &mut Connection, question: Question) -> Result<Report, Failure> {
        let Connection { client, driver } = connection;
        tokio::select! {
            biased;
            report = self.examined(client, question) => report,
            // What waits for an answer would wait for ever: its connection still stands here, though nothing moves it.
            ended = driver => Err(ended.map_or_else(
                |error| failed(&error),
                |()| Failure::refused("the server closed the connection"),
            )),
        }
    }
}

impl Settings {
    async fn examined(&self, client: &Client, question: Question) -> Result<Report, Failure> {
        if self.server.database() == Some(PGBOUNCER) {
            return pools(client).await;
        }
        let patience = database::patience(question.limit).as_millis();
        // Of the transaction alone: behind a pooler the session belongs to others afterwards.
        let transaction = format!("BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {patience}");
        client.batch_execute(&transaction).await.map_err(|error| failed(&error))?;
        self.answers(client).await?;
        let mut report = statistics::read(client, self.warn_percent).await?;
        if question.closely {
            let began = Instant::now();
            let sql = "SELECT count(*) FROM pg_catalog.pg_class";
            client.query_typed(sql, &[]).await.map_err(|error| failed(&error))?;
            report = database::catalogue(report, began.elapsed())?;
        }
        client.batch_execute("ROLLBACK").await.map_err(|error| failed(&error))?;
        Ok(report)
    }

    /// By the extended protocol, which takes one statement only: none can be smuggled in that ends the transaction first.
    async fn answers(&self, client: &Client) -> Result<(), Failure> {
        let query = self.query.as_deref().unwrap_or("SELECT 1");
        let none: [(&str, Type); 0] = [];
        let mut rows = pin!(client.query_typed_raw(query, none).await.map_err(|error| failed(&error))?);
        let mut row = None;
        // One at a time: a query that gives the whole table costs time, which is limited, and no memory.
        while let Some(next) = rows.try_next().await.map_err(|error| failed(&error))? {
            row.get_or_insert(next);
        }
        let Some(condition) = &self.condition else { return Ok(()) };
        database::demand(condition, &first(&row.ok_or_else(database::no_row)?)?)
    }
}

/// The first value of a row, as text.
fn first(row: &Row) -> Result<String, Failure> {
    let column = row.columns().first().ok_or_else(|| Failure::condition("the query gave a row without columns"))?;
    let text = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
    macro_rules! value {
        ($kind:ty) => {
            row.try_get::<_, Option<$kind>>(0).map(|value| text(value.map(|value| value.to_string())))
        };
    }
    let value = match *column.type_() {
        Type::BOOL => value!(bool),
        Type::INT2 => value!(i16),
        Type::INT4 => value!(i32),
        Type::INT8 => value!(i64),
        Type::OID => value!(u32),
        Type::FLOAT4 => value!(f32),
        Type::FLOAT8 => value!(f64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => value!(String),
        ref other => {
            let message = format!("the query gave a value of the type {other}: cast it, as in `::text` or `::float8`");
            return Err(Failure::condition(message));
        }
    };
    value.map_err(|error| failed(&error))
}

/// What PgBouncer says of its pools. Its console knows the simple protocol only, and no transactions.
async fn pools(client: &Client) -> Result<Report, Failure> {
    let messages = client.simple_query("SHOW POOLS").await.map_err(|error| failed(&error))?;
    let mut pools: BTreeMap<String, [f64; 4]> = BTreeMap::new();
    for message in messages {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let number = |name: &str| {
            let text = row.try_get(name).ok().flatten();
            text.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0)
        };
        let name = row.try_get("database").ok().flatten().unwrap_or_default().to_owned();
        let found = [number("cl_active"), number("cl_waiting"), number("sv_active"), number("sv_idle")];
        for (sum, more) in pools.entry(name).or_default().iter_mut().zip(found) {
            *sum += more;
        }
    }
    let mut report = Report::default();
    for (name, [clients, waiting, active, idle]) in pools {
        use seaworthy_core::health::Measure;
        let measure = |metric, value| Measure::new(metric, value).with("pool", name.clone());
        report.measures.extend([
            measure("health_pgbouncer_clients_active", clients),
            measure("health_pgbouncer_clients_waiting", waiting),
            measure("health_pgbouncer_servers_active", active),
            measure("health_pgbouncer_servers_idle", idle),
        ]);
        if waiting > 0.0 {
            report.warn(format!("{waiting} clients wait for a connection of the pool {name:?}"));
        }
    }
    Ok(report)
}

/// The class of an error of the server goes by its SQLSTATE (PostgreSQL, appendix A).
fn failed(error: &tokio_postgres::Error) -> Failure {
    if let Some(db) = error.as_db_error() {
        let code = db.code().code();
        let message = format!("{}: {} (SQLSTATE {code})", db.severity(), db.message());
        let class = match code {
            "57014" => Class::Timeout,
            // Shut down, starting up, recovering.
            "57P01" | "57P02" | "57P03" => Class::Refused,
            code if code.starts_with("28") => Class::Auth,
            "42501" => Class::Auth,
            code if code.starts_with("08") => Class::Protocol,
            _ => Class::Condition,
        };
        return Failure::new(class, message);
    }
    if error.is_closed() {
        return Failure::refused("the server closed the connection");
    }
    let message = chain(error);
    match io_kind(error) {
        Some(kind) => Failure { message, ..Failure::from(std::io::Error::from(kind)) },
        // There is no other way to tell: kinds of errors are private there.
        None if message.contains("authentication") || message.contains("password") => Failure::auth(message),
        None => Failure::protocol(message),
    }
}
