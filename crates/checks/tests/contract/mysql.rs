//! `mysql` against MariaDB.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use seaworthy_checks::kinds::Spec;
use seaworthy_checks::kinds::mysql::{Server as Target, Settings};
use seaworthy_checks::{Identity, Tls, Trust};
use seaworthy_core::health::{Class, Outcome};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};

use crate::bed::{Certificates, End, LONG, Server, failure, measured, once, passed, probe, run, until};
use crate::contract::{Subject, hold};

const SECRET: &str = "hunter2-mysql";

/// Small, and without waiting for the disk: a database of a test survives no power cut.
const SMALL: [&str; 5] = [
    "--innodb-flush-method=nosync",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=16M",
    "--innodb-data-file-path=ibdata1:4M:autoextend",
    "--skip-name-resolve",
];

async fn mariadb(more: &[String]) -> Server {
    Server::ended(End::By(Signal::TERM), |directory, port| {
        let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        let data = format!("--datadir={}", path("data"));
        // It runs as root only when it is told to.
        let user = if rustix::process::geteuid().is_root() { &["--user=root"][..] } else { &[] };
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"]);
        let output = install.args(SMALL).args(user).output().expect("MariaDB is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        // It is read at every start, a statement a line.
        let script = format!(
            "CREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY '{SECRET}';\n\
             CREATE USER IF NOT EXISTS open@'%';\n\
             CREATE USER IF NOT EXISTS vip@'%' IDENTIFIED BY '{SECRET}' REQUIRE SSL;\n\
             CREATE USER IF NOT EXISTS modern@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{SECRET}');\n\
             CREATE DATABASE IF NOT EXISTS shop;\n\
             CREATE OR REPLACE TABLE shop.orders AS SELECT 1 AS id UNION SELECT 2;\n\
             GRANT ALL ON shop.* TO app@'%';\n\
             GRANT CREATE USER, PROCESS ON *.* TO app@'%';\n"
        );
        std::fs::write(path("init.sql"), script).unwrap();
        let usual = [
            "mariadbd".to_owned(),
            "--no-defaults".to_owned(),
            data,
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--socket={}", path("mysql.sock")),
            format!("--pid-file={}", path("pid")),
            "--plugin-load-add=auth_ed25519".to_owned(),
        ];
        let mut command = usual.to_vec();
        command.extend(SMALL.iter().chain(user).map(|&word| word.to_owned()));
        command.push(format!("--init-file={}", path("init.sql")));
        command.extend(more.iter().cloned());
        command
    })
    .await
}

fn at(url: &str) -> Settings {
    Settings { server: Target::new(url, Trust::Public).unwrap(), query: None, condition: None, warn_percent: 80 }
}

fn spec(settings: Settings) -> Spec {
    Spec::Mysql(Box::new(settings))
}

fn url(port: u16, query: &str) -> String {
    format!("mysql://app:{SECRET}@localhost:{port}/shop{query}")
}

fn asking(port: u16, query: &str, condition: &str) -> Spec {
    let condition = Some(condition.parse().unwrap());
    spec(Settings { query: Some(query.to_owned()), condition, ..at(&url(port, "")) })
}

#[tokio::test]
async fn the_contract_holds() {
    hold(Subject::new(mariadb(&[]).await, |port| spec(at(&url(port, ""))), SECRET)).await;
}

#[tokio::test]
async fn what_is_wrong_has_its_class_and_what_is_asked_cannot_write() {
    let server = mariadb(&["--max-connections=10".to_owned()]).await;
    let port = server.port;
    credentials(port).await;
    queries(port).await;
    socket(&server).await;
    replica(&server).await;
    no_session_is_left(port).await;
    full(port).await;
}

async fn credentials(port: u16) {
    for credentials in ["app:wrong-secret", "nobody:wrong-secret", "app"] {
        let run = once(spec(at(&format!("mysql://{credentials}@localhost:{port}/shop")))).await;
        let (class, error) = failure(&run);
        assert_eq!((class, error.starts_with("ERROR 1045 (28000): Access denied")), (Class::Auth, true), "{error}");
        assert!(!error.contains("wrong-secret"), "{error}");
    }
    assert!(passed(&once(spec(at(&format!("mariadb://open@localhost:{port}")))).await));
    let modern = once(spec(at(&format!("mysql://modern:{SECRET}@localhost:{port}")))).await;
    let (class, error) = failure(&modern);
    assert_eq!((class, error.starts_with("the user signs in by \"client_ed25519\"")), (Class::Auth, true), "{error}");
    let nothing = once(spec(at(&format!("mysql://app:{SECRET}@localhost:{port}/nothing")))).await;
    assert_eq!(failure(&nothing).0, Class::Auth, "{nothing:?}");
    let demanded = once(spec(at(&url(port, "?ssl-mode=REQUIRED")))).await;
    assert_eq!(failure(&demanded), (Class::Tls, "the server offers no TLS, and ssl-mode demands it"));
}

async fn queries(port: u16) {
    assert!(passed(&once(asking(port, "SELECT COUNT(*) FROM orders", "= 2")).await));
    assert!(passed(&once(asking(port, "SELECT 'ok', 2 UNION SELECT 'more', 3", "= ok")).await));
    assert!(passed(&once(asking(port, "SELECT NULL", "= null")).await));
    let off = once(asking(port, "SELECT 2.5", "< 2")).await;
    assert_eq!(failure(&off), (Class::Condition, "the query gave \"2.5\", not \"< 2\""));
    let none = once(asking(port, "SELECT id FROM orders WHERE id = 7", "= 7")).await;
    assert_eq!(failure(&none), (Class::Condition, "the query gave no row"));
    let long = once(asking(port, "SELECT seq FROM seq_1_to_5000", "= 1")).await;
    assert!(passed(&long), "{long:?}");

    let read_only = "ERROR 1792 (25006): Cannot execute statement in a READ ONLY transaction";
    for writes in ["INSERT INTO orders VALUES (3)", "CREATE TABLE t (a INT)", "DROP TABLE orders", "CREATE USER eve"] {
        let run = once(asking(port, writes, "= 1")).await;
        assert_eq!(failure(&run), (Class::Condition, read_only), "{writes}");
    }
    let smuggled = once(asking(port, "SELECT 1; INSERT INTO orders VALUES (3)", "= 1")).await;
    assert!(failure(&smuggled).1.starts_with("ERROR 1064 (42000)"), "{smuggled:?}");
    let file = once(asking(port, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE orders", "= 1")).await;
    assert_eq!(failure(&file).0, Class::Condition, "{file:?}");
    assert!(passed(&once(asking(port, "SELECT COUNT(*) FROM orders", "= 2")).await), "nothing was written");

    let mut slow = probe(asking(port, "SELECT SLEEP(300)", "= 0"));
    let cut = seaworthy_checks::run(&mut *slow, Duration::from_secs(2)).await;
    let (class, error) = failure(&cut);
    assert_eq!((class, error.starts_with("ERROR 1969 (70100)")), (Class::Timeout, true), "{error}");
    let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
    assert_eq!(value(port, running).await, "0", "the server gave up on the query as well");
}

async fn socket(server: &Server) {
    let place = server.path("mysql.sock");
    let run = once(spec(at(&format!("mysql://app:{SECRET}@localhost/shop?socket={}", place.display())))).await;
    assert!(passed(&run), "{run:?}");
}

/// A replica whose master is not there, which is all that can be seen from one server.
async fn replica(server: &Server) {
    let root = |sql: &str| {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--user=root", "--execute", sql]).arg("--socket").arg(server.path("mysql.sock"));
        assert!(client.status().unwrap().success(), "{sql}");
    };
    root("GRANT REPLICA MONITOR ON *.* TO app@'%'; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='nobody'");
    let run = once(spec(at(&url(server.port, "")))).await;
    let Outcome::Passed { warning: Some(warning) } = &run.outcome else { panic!("{run:?}") };
    assert_eq!(warning, "the replica does not replicate");
    assert_eq!(measured(&run, "health_db_replica"), Some(1.0));
    root("RESET SLAVE ALL");
    assert_eq!(measured(&once(spec(at(&url(server.port, "")))).await, "health_db_replica"), Some(0.0));
}

async fn no_session_is_left(port: u16) {
    let sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'";
    let alone = async || (value(port, sessions).await == "1").then_some(());
    until("who asks is the only one", alone).await;
    let aborted = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'ABORTED_CLIENTS'";
    let before = value(port, aborted).await;
    let mut held = probe(spec(at(&url(port, ""))));
    assert!(passed(&run(&mut *held).await));
    assert_eq!(value(port, sessions).await, "2");
    drop(held);
    until("it is gone", alone).await;
    assert_eq!(value(port, aborted).await, before, "who leaves says goodbye");
}

/// What a query gives: told by a condition that no answer meets.
async fn value(port: u16, query: &str) -> String {
    let run = once(asking(port, query, "= none of it")).await;
    let (_, error) = failure(&run);
    let quoted = error.strip_prefix("the query gave \"").and_then(|rest| rest.split_once('"'));
    quoted.unwrap_or_else(|| panic!("{query}: {error}")).0.to_owned()
}

async fn full(port: u16) {
    let mut held: Vec<_> = (0..9).map(|_| probe(spec(at(&url(port, ""))))).collect();
    for held in &mut held {
        let run = run(&mut **held).await;
        assert!(passed(&run), "{run:?}");
    }
    let (run, facts) = seaworthy_checks::examine(&mut *held[0], LONG).await;
    let Outcome::Passed { warning: Some(warning) } = &run.outcome else { panic!("{run:?}") };
    assert_eq!(warning, "9 of 10 connections are in use (90%)");
    assert_eq!(measured(&run, "health_db_connections_max"), Some(10.0));
    let names: Vec<_> = facts.iter().map(|fact| fact.name).collect();
    assert_eq!(names, ["version", "server time", "connections", "catalogue query"]);
    assert!(facts[0].value.starts_with('1') && facts[0].value.contains("MariaDB"), "{facts:?}");
    let mut last: Vec<_> = (0..2).map(|_| probe(spec(at(&url(port, ""))))).collect();
    let first = crate::bed::run(&mut *last[0]).await;
    assert!(passed(&first), "{first:?}");
    let refused = crate::bed::run(&mut *last[1]).await;
    let (class, error) = failure(&refused);
    assert_eq!((class, error.contains("Too many connections")), (Class::Condition, true), "{error}");
}

#[tokio::test]
async fn tls_goes_by_ssl_mode() {
    let certificates = Certificates::make();
    let path = |name: &str| certificates.path(name).to_str().unwrap().to_owned();
    let files = [("ssl-ca", "ca.pem"), ("ssl-cert", "server.pem"), ("ssl-key", "server.key")];
    let server = mariadb(&files.map(|(option, file)| format!("--{option}={}", path(file)))).await;
    let port = server.port;
    let ca = path("ca.pem");
    for good in ["?ssl-mode=DISABLED", "", "?ssl-mode=REQUIRED", &format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}")] {
        let run = once(spec(at(&url(port, good)))).await;
        assert!(passed(&run), "{good}: {run:?}");
    }
    let stranger = once(spec(at(&url(port, "?ssl-mode=VERIFY_IDENTITY")))).await;
    assert_eq!(failure(&stranger).0, Class::Tls, "{stranger:?}");
    let vip = |query: &str| once(spec(at(&format!("mysql://vip:{SECRET}@localhost:{port}/{query}"))));
    assert!(passed(&vip("").await), "TLS is taken where it is offered");
    assert_eq!(failure(&vip("?ssl-mode=DISABLED").await).0, Class::Auth);

    let identity =
        Some(Identity { certificate: certificates.path("server.pem"), key: certificates.path("server.key") });
    let tls = Tls { trust: Trust::File(certificates.path("ca.pem")), identity };
    let settings = |tls: Tls| Settings {
        server: Target::new(&url(port, "?ssl-mode=REQUIRED"), tls).unwrap(),
        ..at(&url(port, ""))
    };
    let shown = once(spec(settings(tls.clone()))).await;
    assert!(passed(&shown), "{shown:?}");
    let missing = Identity { certificate: certificates.path("nothing.pem"), key: certificates.path("server.key") };
    let run = once(spec(settings(Tls { identity: Some(missing), ..tls }))).await;
    assert!(failure(&run).1.starts_with("cert-file "), "{run:?}");
}

/// What MySQL 8 says first: nobody packs it for Debian, so the other side of its way to sign in is written down here.
const GREETING: &[u8] = b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0";

/// What `PyMySQL` proves by to that greeting.
const PROOF: &str = "91ab65badc192d9a09b121b3499f7ea1e49ac3256e6b092b27d4d6b01555d6d3";

/// Lets in whoever proves the password, or also sends it where that is demanded, and refuses the first query.
async fn mysql8(stream: impl AsyncRead + AsyncWrite + Unpin, in_full: bool) {
    let mut stream = BufReader::new(stream);
    let mut greeting = vec![u8::try_from(GREETING.len()).unwrap(), 0, 0, 0];
    greeting.extend_from_slice(GREETING);
    stream.write_all(&greeting).await.unwrap();
    let answer = packet(&mut stream).await;
    let proof: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&PROOF[2 * at..2 * at + 2], 16).unwrap()).collect();
    assert!(answer.windows(32).any(|window| window == proof), "{answer:?}");
    if in_full {
        stream.write_all(b"\x02\0\0\x02\x01\x04").await.unwrap();
        // Who does not send it leaves.
        let Ok(length) = stream.read_u32_le().await else { return };
        let mut password = vec![0; (length & 0xff_ffff) as usize];
        stream.read_exact(&mut password).await.unwrap();
        assert_eq!(password, [SECRET.as_bytes(), b"\0"].concat());
        stream.write_all(b"\x07\0\0\x04\0\0\0\x02\0\0\0").await.unwrap();
    } else {
        stream.write_all(b"\x02\0\0\x02\x01\x03\x07\0\0\x03\0\0\0\x02\0\0\0").await.unwrap();
    }
    assert!(packet(&mut stream).await.ends_with(b"SET SESSION TRANSACTION READ ONLY"));
    stream.write_all(b"\x0f\0\0\x01\xff\x51\x04#HY000enough").await.unwrap();
}

async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let length = stream.read_u32_le().await.unwrap() & 0xff_ffff;
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.unwrap();
    payload
}

#[tokio::test]
async fn the_password_of_mysql_8_is_proved_and_sent_only_where_nobody_else_reads_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async |in_full: bool| mysql8(listener.accept().await.unwrap().0, in_full).await;
    let asked = || once(spec(at(&url(port, "?ssl-mode=DISABLED"))));
    let (known, ()) = tokio::join!(asked(), serve(false));
    assert_eq!(failure(&known), (Class::Condition, "ERROR 1105 (HY000): enough"));
    let (open, ()) = tokio::join!(asked(), serve(true));
    let (class, error) = failure(&open);
    assert_eq!((class, error.ends_with("use ssl-mode=REQUIRED")), (Class::Auth, true), "{error}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mysql.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let private = format!("mysql://app:{SECRET}@localhost/shop?socket={}", path.display());
    let serve = async || mysql8(listener.accept().await.unwrap().0, true).await;
    let (sent, ()) = tokio::join!(once(spec(at(&private))), serve());
    assert_eq!(failure(&sent), (Class::Condition, "ERROR 1105 (HY000): enough"));
}
