//! Databases and caches.

use super::{Metric, Row, metric};

const DB_CONNECTIONS: Metric =
    Metric { name: "health_db_connections", labels: &["state"], help: "Connections of clients, by state." };
const DB_CONNECTIONS_MAX: Metric = metric("health_db_connections_max", "The most connections that the server takes.");
const DB_REPLICA: Metric = metric("health_db_replica", "Whether the server is a replica.");
const REPLICA_LAG: Metric = metric("health_replica_lag_seconds", "How far a replica is behind.");

pub(super) const POSTGRES: Row = Row {
    kind: "postgres",
    proves: "PostgreSQL answers a query in time; warns when 80% of its connections are in use",
    options: &["url", "query", "condition", "warn-percent", "ca-file", "cert-file", "key-file"],
    needs: 1,
    metrics: &[
        DB_CONNECTIONS,
        DB_CONNECTIONS_MAX,
        metric("health_db_waiting_locks", "Locks that somebody waits for."),
        DB_REPLICA,
        REPLICA_LAG,
        Metric { name: "health_pgbouncer_clients_active", labels: &["pool"], help: "Clients with a connection." },
        Metric { name: "health_pgbouncer_clients_waiting", labels: &["pool"], help: "Clients that wait for one." },
        Metric { name: "health_pgbouncer_servers_active", labels: &["pool"], help: "Connections in use." },
        Metric { name: "health_pgbouncer_servers_idle", labels: &["pool"], help: "Connections at rest." },
    ],
    example: r#"[[check]]
name = "database"
kind = "postgres"
url = { env = "DATABASE_URL" }
affects = "ready"
interval = "10s"
"#,
    failures: &[
        ("refused", "10.0.0.7:5432: Connection refused (os error 111)"),
        ("auth", r#"FATAL: password authentication failed for user "app" (SQLSTATE 28P01)"#),
        ("condition", "FATAL: sorry, too many clients already (SQLSTATE 53300)"),
        ("timeout", "no answer within 5s"),
    ],
};

pub(super) const MYSQL: Row = Row {
    kind: "mysql",
    proves: "MySQL or MariaDB answers a query in time; warns when 80% of its connections are in use",
    options: &["url", "query", "condition", "warn-percent", "ca-file", "cert-file", "key-file"],
    needs: 1,
    metrics: &[DB_CONNECTIONS, DB_CONNECTIONS_MAX, DB_REPLICA, REPLICA_LAG],
    example: r#"[[check]]
name = "shop"
kind = "mysql"
url = { env = "MYSQL_URL" }
query = "SELECT COUNT(*) FROM orders WHERE state = 'stuck'"
condition = "< 10"
"#,
    failures: &[
        ("refused", "10.0.0.7:3306: Connection refused (os error 111)"),
        ("auth", "ERROR 1045 (28000): Access denied for user 'app'@'10.0.0.8' (using password: YES)"),
        (
            "auth",
            "the server wants the password itself, which is sent over TLS or a socket only: use ssl-mode=REQUIRED",
        ),
        ("tls", "the server offers no TLS, and ssl-mode demands it"),
        ("condition", "ERROR 1040: Too many connections"),
        ("condition", r#"the query gave "12", not "< 10""#),
        ("timeout", "ERROR 1969 (70100): Query execution was interrupted (max_statement_time exceeded)"),
    ],
};

pub(super) const REDIS: Row = Row {
    kind: "redis",
    proves: "Redis or Valkey answers PING; warns when 80% of its memory or connections are in use",
    options: &["url", "sentinel", "warn-percent", "ca-file", "cert-file", "key-file"],
    needs: 1,
    metrics: &[
        metric("health_redis_used_memory_bytes", "Memory in use."),
        metric("health_redis_max_memory_bytes", "Memory that may be used; 0 is as much as there is."),
        metric("health_redis_connected_clients", "Clients that are connected."),
        metric("health_redis_max_clients", "The most clients that may be."),
        metric("health_redis_master", "Whether the server is a master."),
        metric("health_redis_replication_up", "Whether a replica hears of its master."),
    ],
    example: r#"[[check]]
name = "cache"
kind = "redis"
url = "redis://cache.internal:6379/0"
"#,
    failures: &[
        ("auth", "NOAUTH Authentication required."),
        ("condition", "LOADING Redis is loading the dataset in memory"),
    ],
};
