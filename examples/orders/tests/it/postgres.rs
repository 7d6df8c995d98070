//! With PostgreSQL, which is late, goes away and comes back.

use crate::bed::{Orders, PostgreSql};

#[test]
fn it_starts_before_its_database_and_is_ready_when_that_is_there() {
    let mut database = PostgreSql::start();
    database.stop();
    let orders = Orders::start(&[("DATABASE_URL", &database.url())]);
    assert_eq!(crate::bed::get(orders.admin, "/startupz").status, 503);
    assert_eq!(crate::bed::get(orders.admin, "/livez").status, 200);
    orders.log.line("that it waits", |line| line["message"] == "the tables cannot be brought up to date yet");
    database.start_again();
    orders.probes("/startupz", 200);
    orders.probes("/readyz", 200);
    let id = orders.place();
    orders.fulfilled(&id);
    assert_eq!(orders.check("database")["status"], "healthy");
}

#[test]
fn a_database_that_goes_away_takes_readiness_with_it_and_brings_it_back() {
    let mut database = PostgreSql::start();
    let orders = Orders::ready(&[("DATABASE_URL", &database.url())]);
    let id = orders.place();
    orders.fulfilled(&id);

    database.stop();
    let answer = orders.post("/orders", "{}");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")), "{}", answer.text());
    assert_eq!(answer.json()["title"], "The database is away");
    orders.probes("/readyz", 503);
    // A restart would not bring the database back.
    assert_eq!(crate::bed::get(orders.admin, "/livez").status, 200);
    let failed =
        orders.log.line("that the check fails", |line| line["event"] == "check_failed" && line["check"] == "database");
    assert_eq!((&failed["affects"], &failed["kind"]), (&"ready".into(), &"postgres".into()));
    orders.counts("health_check_status{name=\"database\"}", 0.0);

    database.start_again();
    orders.probes("/readyz", 200);
    let later = orders.place();
    orders.fulfilled(&later);
    orders.fulfilled(&id);
}

#[test]
fn two_replicas_migrate_once_and_fulfil_each_order_once() {
    let database = PostgreSql::start();
    let url = database.url();
    let variables = [("DATABASE_URL", url.as_str())];
    let replicas = [Orders::start(&variables), Orders::start(&variables)];
    for replica in &replicas {
        replica.probes("/readyz", 200);
    }
    let placed: Vec<_> = (0..15).flat_map(|_| replicas.iter().map(Orders::place)).collect();
    for id in &placed {
        replicas[0].fulfilled(id);
    }
    let completed = "queue_jobs_processed_total{queue_name=\"orders\",status=\"completed\"}";
    let done: f64 = replicas.iter().map(|replica| replica.metric(completed)).sum();
    assert!((done - placed.len() as f64).abs() < 0.5, "{done}");
}

#[test]
fn a_stop_while_the_database_is_away_is_in_order() {
    let mut database = PostgreSql::start();
    let orders = Orders::ready(&[("DATABASE_URL", &database.url())]);
    database.stop();
    orders.terminate();
    let (status, log) = orders.ended();
    assert!(status.success(), "{log}");
    assert!(log.contains("nobody knows what is left") && log.contains("Graceful shutdown complete"), "{log}");
}
