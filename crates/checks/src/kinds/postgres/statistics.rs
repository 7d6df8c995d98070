//! How near its limits a server is.

use seaworthy_core::health::Measure;
use tokio_postgres::Client;

use super::failed;
use crate::database;
use crate::probe::{Failure, Report};

/// What anybody may see. Of the sessions of others only their number is known without `pg_read_all_stats`.
const SESSIONS: &str = "
    SELECT coalesce(state, 'hidden'), count(*)
    FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend'
    GROUP BY 1";

/// A replica that has replayed all that it received lags by nothing, however long ago the last transaction was.
const SERVER: &str = "
    SELECT pg_catalog.current_setting('max_connections')::float8,
           pg_catalog.current_setting('server_version'),
           pg_catalog.to_char(pg_catalog.now(), 'YYYY-MM-DD\"T\"HH24:MI:SSOF'),
           (SELECT count(*)::float8 FROM pg_catalog.pg_locks WHERE NOT granted),
           pg_catalog.pg_is_in_recovery(),
           CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN NULL
                WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
                ELSE extract(epoch FROM pg_catalog.now() - pg_catalog.pg_last_xact_replay_timestamp())
           END::float8";

pub(super) async fn read(client: &Client, warn_percent: u8) -> Result<Report, Failure> {
    let sessions = client.query_typed(SESSIONS, &[]).await.map_err(|error| failed(&error))?;
    let server = client.query_typed(SERVER, &[]).await.map_err(|error| failed(&error))?;
    let server = server.first().ok_or_else(|| Failure::protocol("the server told nothing of itself"))?;
    let most: f64 = server.try_get(0).map_err(|error| failed(&error))?;
    let version: String = server.try_get(1).map_err(|error| failed(&error))?;
    let time: String = server.try_get(2).map_err(|error| failed(&error))?;
    let waiting: f64 = server.try_get(3).map_err(|error| failed(&error))?;
    let replica: bool = server.try_get(4).map_err(|error| failed(&error))?;
    let lag: Option<f64> = server.try_get(5).map_err(|error| failed(&error))?;

    let mut used = 0.0;
    let mut report = Report::default().fact("version", version).fact("server time", time);
    for row in sessions {
        let state: String = row.try_get(0).map_err(|error| failed(&error))?;
        let count: i64 = row.try_get(1).map_err(|error| failed(&error))?;
        used += count as f64;
        report.measures.push(Measure::new("health_db_connections", count as f64).with("state", state));
    }
    report =
        report.measure("health_db_waiting_locks", waiting).measure("health_db_replica", f64::from(u8::from(replica)));
    if let Some(lag) = lag {
        report = report.measure("health_replica_lag_seconds", lag.max(0.0));
    }
    Ok(database::connections(report, used, most, warn_percent))
}
