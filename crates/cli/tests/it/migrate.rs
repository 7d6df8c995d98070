//! Migrations of several replicas that start at once, against a real PostgreSQL.

use std::path::Path;

use rustix::process::Signal;

use crate::bed::{PostgreSql, Seaworthy, Starting, get, until};

/// A replica whose migration runs `script` under the lock.
fn replica(database: &PostgreSql, script: &str) -> Starting {
    let config = format!(
        "service = \"shop\"\n[[check]]\nname = \"database\"\nkind = \"postgres\"\nurl = {{ env = \"DATABASE_URL\" }}\n\
         [[migrate]]\nname = \"schema\"\ncommand = [\"sh\", \"-c\", {script:?}]\nlock = \"database\"\n"
    );
    Seaworthy::app().variable("DATABASE_URL", &database.url()).config(&config)
}

/// Something to do for as long as the file is there: whoever outlives its replica ends with the test.
fn endless() -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    let script = format!("echo began; while [ -e {} ]; do sleep 0.05; done", file.path().display());
    (file, script)
}

/// Waits until its migration has said that it began.
fn migrates(replica: &Seaworthy) {
    replica.log.line("the migration began", |line| line["message"] == "began");
}

fn ready(replica: &Seaworthy) {
    until("it is ready", || (get(replica.ops, "/health/ready").status == 200).then_some(()));
}

#[test]
fn replicas_that_start_at_once_migrate_one_after_the_other() {
    let database = PostgreSql::start();
    let directory = tempfile::tempdir().expect("a directory can be made");
    // Fails where another one is at it.
    let alone = directory.path().join("alone").display().to_string();
    let log = directory.path().join("log").display().to_string();
    let script = format!("mkdir {alone} && echo one >> {log} && sleep 0.3 && rmdir {alone}");
    let replicas: Vec<_> = (0..3).map(|_| replica(&database, &script).listening()).collect();
    replicas.iter().for_each(ready);
    let log = std::fs::read_to_string(Path::new(&log)).expect("all of them wrote");
    assert_eq!(log, "one\none\none\n");
    for replica in replicas {
        replica.stop().with_code(0);
    }
}

#[test]
fn a_replica_that_dies_in_its_migration_lets_the_next_one_go_on() {
    let database = PostgreSql::start();
    let (_at_it, endless) = endless();
    let first = replica(&database, &endless).listening();
    migrates(&first);
    let second = replica(&database, "true").listening();
    let waits = second.log.event("migration_waits");
    assert_eq!((&waits["migration"], &waits["check"]), (&"schema".into(), &"database".into()), "{waits}");
    first.signal(Signal::KILL);
    ready(&second);
    second.stop().with_code(0);
}

#[test]
fn a_stop_while_another_one_migrates_is_a_stop_in_order() {
    let database = PostgreSql::start();
    let (_at_it, endless) = endless();
    let first = replica(&database, &endless).listening();
    migrates(&first);
    let second = replica(&database, "true").listening();
    second.log.event("migration_waits");
    second.stop().with_code(0);
}

#[test]
fn a_migration_whose_lock_is_lost_is_called_off() {
    let mut database = PostgreSql::start();
    let only = replica(&database, "trap 'echo rolled back; exit 1' TERM; echo began; sleep 300 & wait").listening();
    migrates(&only);
    database.stop();
    only.exit().with_code(70).saying(&["rolled back", "its lock was lost, so that another replica may have begun"]);
}
