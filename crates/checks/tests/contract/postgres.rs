//! `postgres` against PostgreSQL.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use seaworthy_checks::Trust;
use seaworthy_checks::kinds::Spec;
use seaworthy_checks::kinds::postgres::{Server as Target, Settings};
use seaworthy_core::health::{Class, Outcome};

use crate::bed::{Certificates, Server, failure, measured, once, passed, probe};
use crate::contract::{Subject, hold};

pub(crate) const SECRET: &str = "hunter2-postgres";

/// The newest that Debian has installed.
fn program(name: &str) -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let newest = versions.map(|entry| entry.unwrap().path()).max().expect("a version of it");
    newest.join("bin").join(name).to_str().unwrap().to_owned()
}

/// It refuses to run as root, so it runs as whom it was installed for.
pub(crate) fn unprivileged(command: &[&str]) -> Vec<String> {
    let root = rustix::process::geteuid().is_root();
    let prefix: &[&str] =
        if root { &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] } else { &[] };
    prefix.iter().chain(command).map(|&word| word.to_owned()).collect()
}

fn run(command: &[String]) {
    let output = Command::new(&command[0]).args(&command[1..]).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn give_away(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::geteuid().is_root() {
        run(&["chown", "-R", "postgres:postgres", path.to_str().unwrap()].map(str::to_owned));
    }
}

pub(crate) async fn postgres(certificates: Option<&Certificates>, more: &[&str]) -> Server {
    let files = certificates.map(|certificates| ["server.pem", "server.key"].map(|name| certificates.path(name)));
    let more: Vec<_> = more.iter().map(|&word| word.to_owned()).collect();
    Server::start(|directory, port| {
        let (data, password) = (directory.join("data"), directory.join("password"));
        std::fs::write(&password, SECRET).unwrap();
        let copies = files.map(|files| {
            files.map(|file| {
                let copy = directory.join(file.file_name().unwrap());
                std::fs::copy(file, &copy).unwrap();
                std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
                copy.to_str().unwrap().to_owned()
            })
        });
        give_away(directory);
        let (data, password) = (data.to_str().unwrap(), password.to_str().unwrap());
        let auth = ["--auth=scram-sha-256", "-U", "app", "--no-sync"];
        let initdb = program("initdb");
        run(&unprivileged(&[&[&initdb, "-D", data, "--pwfile", password][..], &auth[..]].concat()));
        let (postgres, port) = (program("postgres"), port.to_string());
        let sockets = directory.to_str().unwrap();
        let mut command = unprivileged(&[&postgres, "-D", data, "-p", &port, "-k", sockets, "-h", "127.0.0.1"]);
        let mut set = |setting: String| command.extend(["-c".to_owned(), setting]);
        set("fsync=off".to_owned());
        if let Some([certificate, key]) = copies {
            set("ssl=on".to_owned());
            set(format!("ssl_cert_file={certificate}"));
            set(format!("ssl_key_file={key}"));
        }
        more.into_iter().for_each(&mut set);
        command
    })
    .await
}

pub(crate) fn at(url: &str) -> Settings {
    Settings { server: Target::new(url, Trust::Public).unwrap(), query: None, condition: None, warn_percent: 80 }
}

pub(crate) fn spec(settings: Settings) -> Spec {
    Spec::Postgres(Box::new(settings))
}

fn url(port: u16, query: &str) -> String {
    format!("postgres://app:{SECRET}@localhost:{port}/postgres{query}")
}

pub(crate) async fn ready(server: &Server) {
    crate::bed::until("it is not starting up any more", async || {
        passed(&once(spec(at(&url(server.port, "")))).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_contract_holds() {
    let server = postgres(None, &[]).await;
    ready(&server).await;
    hold(Subject::new(server, |port| spec(at(&url(port, ""))), SECRET)).await;
}

#[tokio::test]
async fn what_is_wrong_with_credentials_database_and_query_has_its_class() {
    let server = postgres(None, &["statement_timeout=0"]).await;
    ready(&server).await;
    let port = server.port;
    for credentials in ["app:wrong-secret", "nobody:wrong-secret", "app"] {
        let run = once(spec(at(&format!("postgres://{credentials}@localhost:{port}/postgres")))).await;
        let (class, error) = failure(&run);
        assert_eq!(class, Class::Auth, "{credentials}: {error}");
        assert!(!error.contains("wrong-secret"), "{error}");
    }
    let run = once(spec(at(&format!("postgres://app:{SECRET}@localhost:{port}/nothing")))).await;
    assert_eq!(failure(&run), (Class::Condition, "FATAL: database \"nothing\" does not exist (SQLSTATE 3D000)"));

    let query = |text: &str| Settings { query: Some(text.to_owned()), ..at(&url(port, "")) };
    let asked = async |text: &str, condition: &str| {
        once(spec(Settings { condition: Some(condition.parse().unwrap()), ..query(text) })).await
    };
    assert!(passed(&asked("SELECT count(*) FROM pg_class", "> 10").await));
    assert!(passed(&asked("SELECT 'ok'::varchar, 2", "= ok").await));
    assert!(passed(&asked("SELECT true", "= true").await));
    let off = asked("SELECT 2.5::float8", "< 2").await;
    assert_eq!(failure(&off), (Class::Condition, "the query gave \"2.5\", not \"< 2\""));
    let numeric = asked("SELECT 2.5::numeric", "< 2").await;
    assert!(failure(&numeric).1.contains("cast it, as in `::text`"));

    let writes = once(spec(query("CREATE TABLE t (a int)"))).await;
    assert_eq!(failure(&writes).0, Class::Condition);
    assert!(failure(&writes).1.contains("read-only transaction"), "{writes:?}");
    let smuggled = once(spec(query("SELECT 1; COMMIT; CREATE TABLE t (a int)"))).await;
    assert!(failure(&smuggled).1.contains("multiple commands"), "{smuggled:?}");

    let mut slow = probe(spec(query("SELECT pg_sleep(300)")));
    let run = seaworthy_checks::run(&mut *slow, Duration::from_secs(1)).await;
    assert_eq!(failure(&run).0, Class::Timeout, "{run:?}");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    crate::bed::until("the server gave up on the query as well", async || {
        passed(&asked(running, "= 0").await).then_some(())
    })
    .await;
}

/// The most that was resident of this process so far, in kilobytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_query_that_gives_a_whole_table_takes_no_memory() {
    let server = postgres(None, &[]).await;
    ready(&server).await;
    let before = peak();
    let query = Some("SELECT repeat('x', 100000), n FROM generate_series(1, 1000) AS n".to_owned());
    let condition = Some("= none of it".parse().unwrap());
    let run = once(spec(Settings { query, condition, ..at(&url(server.port, "")) })).await;
    assert!(failure(&run).1.starts_with("the query gave \"xxx"), "{run:?}");
    // A hundred megabytes came.
    assert!(peak() - before < 50_000, "{} KB more", peak() - before);
}

#[tokio::test]
async fn the_server_tells_how_full_it_is() {
    let server = postgres(None, &["max_connections=5", "superuser_reserved_connections=1"]).await;
    ready(&server).await;
    let mut held: Vec<_> = (0..4).map(|_| probe(spec(at(&url(server.port, ""))))).collect();
    for held in &mut held {
        assert!(passed(&crate::bed::run(&mut **held).await));
    }
    let (run, facts) = seaworthy_checks::examine(&mut *probe(spec(at(&url(server.port, "")))), crate::bed::LONG).await;
    let Outcome::Passed { warning: Some(warning) } = &run.outcome else { panic!("{run:?}") };
    assert_eq!(warning, "5 of 5 connections are in use (100%)");
    assert_eq!(measured(&run, "health_db_connections_max"), Some(5.0));
    assert_eq!(measured(&run, "health_db_replica"), Some(0.0));
    let names: Vec<_> = facts.iter().map(|fact| fact.name).collect();
    assert_eq!(names, ["version", "server time", "connections", "catalogue query"]);
    let fifth = probe(spec(at(&url(server.port, ""))));
    let mut all: Vec<_> = held.into_iter().chain([fifth]).collect();
    for held in &mut all {
        assert!(passed(&crate::bed::run(&mut **held).await));
    }
    let sixth = once(spec(at(&url(server.port, "")))).await;
    let (class, error) = failure(&sixth);
    assert_eq!((class, error.contains("too many clients")), (Class::Condition, true), "{error}");
}

#[tokio::test]
async fn tls_goes_by_sslmode() {
    let certificates = Certificates::make();
    let server = postgres(Some(&certificates), &[]).await;
    ready(&server).await;
    let with = |query: &str| once(spec(at(&url(server.port, query))));
    let ca = certificates.path("ca.pem").to_str().unwrap().to_owned();
    for good in ["?sslmode=disable", "?sslmode=require", &format!("?sslmode=verify-full&sslrootcert={ca}")] {
        let run = with(good).await;
        assert!(passed(&run), "{good}: {run:?}");
    }
    let unknown = with("?sslmode=verify-full").await;
    assert_eq!(failure(&unknown).0, Class::Tls, "{unknown:?}");
    let plain = postgres(None, &[]).await;
    ready(&plain).await;
    let none = once(spec(at(&url(plain.port, "?sslmode=require")))).await;
    assert_eq!(failure(&none), (Class::Tls, "the server offers no TLS, and sslmode demands it"));
    let socket = format!("postgres://app:{SECRET}@/postgres?host={}&port={}", plain.path("").display(), plain.port);
    let run = once(spec(at(&socket.replace("@/", "@localhost/")))).await;
    assert!(passed(&run), "{run:?}");
}
