//! `postgres` through PgBouncer, and what PgBouncer says of itself.

use seaworthy_checks::Trust;
use seaworthy_checks::kinds::postgres::{Server as Target, Settings};
use seaworthy_core::health::Outcome;

use crate::bed::{Server, once, passed, probe, run, until};
use crate::postgres::{SECRET, at, give_away, postgres, ready, spec, unprivileged};

/// A pooler with one connection a database.
async fn pgbouncer(server: &Server) -> Server {
    let target = server.port;
    Server::start(|directory, port| {
        let config = directory.join("pgbouncer.ini");
        let text = format!(
            "[databases]\npostgres = host=127.0.0.1 port={target}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {users}\nadmin_users = app\n\
             pool_mode = transaction\ndefault_pool_size = 1\n",
            users = directory.join("users").display(),
        );
        std::fs::write(&config, text).unwrap();
        std::fs::write(directory.join("users"), format!("\"app\" \"{SECRET}\"\n")).unwrap();
        give_away(directory);
        unprivileged(&["pgbouncer", config.to_str().unwrap()])
    })
    .await
}

fn through(port: u16, database: &str) -> Settings {
    let url = format!("postgres://app:{SECRET}@localhost:{port}/{database}");
    Settings { server: Target::new(&url, Trust::Public).unwrap(), ..at(&url) }
}

#[tokio::test]
async fn a_pooler_is_passed_through_and_tells_of_its_pools() {
    let server = postgres(None, &[]).await;
    ready(&server).await;
    let pooler = pgbouncer(&server).await;
    let mut kept = probe(spec(through(pooler.port, "postgres")));
    for _ in 0..3 {
        let run = run(&mut *kept).await;
        assert!(passed(&run), "{run:?}");
    }
    let pools = async || once(spec(through(pooler.port, "pgbouncer"))).await;
    let calm = pools().await;
    assert_eq!(calm.outcome, Outcome::Passed { warning: None }, "{calm:?}");
    let idle = calm.measures.iter().find(|measure| {
        measure.name == "health_pgbouncer_servers_idle" && measure.labels == [("pool", "postgres".to_owned())]
    });
    assert_eq!(idle.map(|measure| measure.value), Some(1.0), "{calm:?}");

    // Two that are slow over one connection: one of them waits.
    let slow = || Settings { query: Some("SELECT pg_sleep(2)".to_owned()), ..through(pooler.port, "postgres") };
    let waiting = until("somebody waits", async || match pools().await.outcome {
        Outcome::Passed { warning: Some(warning) } => Some(warning),
        _ => None,
    });
    let (first, second, warning) = tokio::join!(once(spec(slow())), once(spec(slow())), waiting);
    assert!(passed(&first) && passed(&second), "{first:?} {second:?}");
    assert_eq!(warning, "1 clients wait for a connection of the pool \"postgres\"");
}
