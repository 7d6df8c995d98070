//! `postgres`: PostgreSQL answers a query in time, and how near its limits it is. PgBouncer's own database is understood.

mod dial;
mod statistics;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use seaworthy_core::health::Class;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, SimpleQueryMessage};

use self::dial::Connection;
pub use self::dial::{Encryption, Server, ServerError};
use crate::condition::Condition;
use crate::probe::{Failure, Probe, Report, Running, chain, io_kind};
use crate::surroundings::Surroundings;

/// Left for the answer to come back after the server gave up on a statement.
const ON_THE_WAY: Duration = Duration::from_millis(250);

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

/// Keeps one connection.
#[derive(Debug)]
pub(super) struct Postgres {
    settings: Settings,
    surroundings: Surroundings,
    connection: Option<Connection>,
}

impl Postgres {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings, connection: None }
    }

    async fn ask(&mut self, limit: Duration, closely: bool) -> Result<Report, Failure> {
        if let Some(connection) = self.connection.take() {
            match self.over(connection, limit, closely).await {
                // Closed while it was at rest, by a restart perhaps: that by itself is no outage.
                Err(failure) if failure.class == Class::Refused => {}
                result => return result,
            }
        }
        let connection = self.settings.server.connect(&self.surroundings).await?;
        self.over(connection, limit, closely).await
    }

    async fn over(&mut self, mut connection: Connection, limit: Duration, closely: bool) -> Result<Report, Failure> {
        let Connection { client, driver } = &mut connection;
        let report = tokio::select! {
            biased;
            report = self.settings.examined(client, limit, closely) => report?,
            // What waits for an answer would wait for ever: its connection still stands here, though nothing moves it.
            ended = driver => return Err(ended.map_or_else(
                |error| failed(&error),
                |()| Failure::refused("the server closed the connection"),
            )),
        };
        self.connection = Some(connection);
        Ok(report)
    }
}

impl Probe for Postgres {
    fn run(&mut self, limit: Duration) -> Running<'_> {
        Box::pin(self.ask(limit, false))
    }

    fn examine(&mut self, limit: Duration) -> Running<'_> {
        Box::pin(self.ask(limit, true))
    }
}

impl Settings {
    async fn examined(&self, client: &Client, limit: Duration, closely: bool) -> Result<Report, Failure> {
        if self.server.database() == Some(PGBOUNCER) {
            return pools(client).await;
        }
        let patience = limit.saturating_sub(ON_THE_WAY).max(Duration::from_millis(1)).as_millis();
        // Of the transaction alone: behind a pooler the session belongs to others afterwards.
        let transaction = format!("BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {patience}");
        client.batch_execute(&transaction).await.map_err(|error| failed(&error))?;
        self.answers(client).await?;
        let mut report = statistics::read(client, self.warn_percent).await?;
        if closely {
            let began = Instant::now();
            let sql = "SELECT count(*) FROM pg_catalog.pg_class";
            client.query_typed(sql, &[]).await.map_err(|error| failed(&error))?;
            let took = began.elapsed();
            report = report.fact("catalogue query", format!("{:.1} ms", took.as_secs_f64() * 1e3));
            if took > Duration::from_millis(500) {
                return Err(Failure::condition(format!("a query of the catalogue took {took:.0?}")));
            }
            if took > Duration::from_millis(100) {
                report.warn(format!("a query of the catalogue took {took:.0?}"));
            }
        }
        client.batch_execute("ROLLBACK").await.map_err(|error| failed(&error))?;
        Ok(report)
    }

    /// By the extended protocol, which takes one statement only: none can be smuggled in that ends the transaction first.
    async fn answers(&self, client: &Client) -> Result<(), Failure> {
        let query = self.query.as_deref().unwrap_or("SELECT 1");
        let rows = client.query_typed(query, &[]).await.map_err(|error| failed(&error))?;
        let Some(condition) = &self.condition else { return Ok(()) };
        let row = rows.first().ok_or_else(|| Failure::condition("the query gave no row"))?;
        let value = first(row)?;
        if condition.holds(&value) {
            return Ok(());
        }
        let shown: String = value.chars().take(100).collect();
        Err(Failure::condition(format!("the query gave {shown:?}, not \"{condition}\"")))
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
