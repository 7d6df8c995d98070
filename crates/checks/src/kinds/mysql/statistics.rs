//! How near its limits a server is, and how far a replica is behind.

use seaworthy_core::health::Measure;

use super::query::Answer;
use super::{Connection, refusal};
use crate::database;
use crate::probe::{Failure, Report};

/// What anybody may see.
const THREADS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Threads_running')";
const SERVER: &str = "SELECT @@global.max_connections AS most, @@global.read_only AS read_only, \
                      DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ') AS now";
const REPLICATION: &str = "SHOW REPLICA STATUS";

pub(super) async fn read(connection: &mut Connection, warn_percent: u8) -> Result<Report, Failure> {
    let threads = connection.query(THREADS).await?;
    let connected = thread(&threads, "Threads_connected")?;
    // Those of the server itself are among them, so that there may be more than are connected.
    let running = thread(&threads, "Threads_running")?.min(connected);
    let server = connection.query(SERVER).await?;
    let most = server.value("most").and_then(|most| most.parse().ok()).ok_or_else(untold)?;
    let mut report = Report::default()
        .fact("version", connection.version.as_str())
        .fact("server time", server.value("now").unwrap_or_default());
    let connections = |state: &str, count| Measure::new("health_db_connections", count).with("state", state);
    report.measures.extend([connections("running", running), connections("idle", connected - running)]);
    if server.value("read_only").is_some_and(|value| value != "0") {
        report = report.fact("read only", "yes");
    }
    let report = replication(connection, report).await?;
    Ok(database::connections(report, connected, most, warn_percent))
}

fn thread(threads: &Answer, name: &str) -> Result<f64, Failure> {
    let row = threads.rows.iter().find(|row| row.first().and_then(Option::as_deref) == Some(name));
    let value = row.and_then(|row| row.get(1)).and_then(Option::as_deref);
    value.and_then(|value| value.parse().ok()).ok_or_else(untold)
}

fn untold() -> Failure {
    Failure::protocol("the server told nothing of itself")
}

/// A replica that has nothing to say about its lag does not replicate. Whoever may not ask is asked no more: the right to
/// is no condition of a check.
async fn replication(connection: &mut Connection, report: Report) -> Result<Report, Failure> {
    if connection.may_ask_for_replication == Some(false) {
        return Ok(report);
    }
    let status = match connection.query(REPLICATION).await {
        Ok(status) => status,
        Err(failure) if refusal::is_not_for_us(&failure) => {
            connection.may_ask_for_replication = Some(false);
            return Ok(report);
        }
        Err(failure) => return Err(failure),
    };
    connection.may_ask_for_replication = Some(true);
    let replica = !status.rows.is_empty();
    let mut report = report.measure("health_db_replica", f64::from(u8::from(replica)));
    if replica {
        // MySQL has it under the one name, MariaDB under the other.
        let lag = status.value("Seconds_Behind_Source").or_else(|| status.value("Seconds_Behind_Master"));
        match lag.and_then(|lag| lag.parse().ok()) {
            Some(lag) => report = report.measure("health_replica_lag_seconds", lag),
            None => report.warn("the replica does not replicate"),
        }
    }
    Ok(report)
}
