//! `redis` against Redis.

use seaworthy_checks::Trust;
use seaworthy_checks::kinds::Spec;
use seaworthy_checks::kinds::redis::{Server as Target, Settings};
use seaworthy_core::health::{Class, Outcome};

use crate::bed::{Certificates, Server, failure, free_port, measured, once, passed};
use crate::contract::{Subject, hold};

const SECRET: &str = "hunter2-redis";

async fn redis(more: &[&str]) -> Server {
    let more: Vec<_> = more.iter().map(|&word| word.to_owned()).collect();
    Server::start(|_, port| {
        let port = port.to_string();
        let usual = ["redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--requirepass", SECRET];
        usual.map(str::to_owned).into_iter().chain(more).collect()
    })
    .await
}

fn at(url: &str, trust: Trust) -> Spec {
    let server = Target::new(url, trust, None).unwrap();
    Spec::Redis(Box::new(Settings { server, warn_percent: 80 }))
}

fn with_password(password: &str, port: u16) -> Spec {
    at(&format!("redis://:{password}@127.0.0.1:{port}/1"), Trust::Public)
}

#[tokio::test]
async fn the_contract_holds() {
    let server = redis(&[]).await;
    hold(Subject::new(server, |port| with_password(SECRET, port), SECRET)).await;
}

#[tokio::test]
async fn a_wrong_password_and_none_are_failures_of_authentication() {
    let server = redis(&[]).await;
    for url in [format!("redis://:wrong@localhost:{}", server.port), format!("redis://localhost:{}", server.port)] {
        let run = once(at(&url, Trust::Public)).await;
        let (class, error) = failure(&run);
        assert_eq!(class, Class::Auth, "{error}");
        assert!(!error.contains("wrong@"), "{error}");
    }
}

#[tokio::test]
async fn a_user_who_may_only_ping_passes_without_numbers() {
    let server = redis(&["--user", "watch", "on", ">look-only", "~*", "-@all", "+ping"]).await;
    let run = once(at(&format!("redis://watch:look-only@localhost:{}", server.port), Trust::Public)).await;
    assert!(passed(&run), "{run:?}");
    assert_eq!(run.measures, []);
}

#[tokio::test]
async fn a_full_server_is_a_warning_with_the_numbers_beside() {
    let server = redis(&["--maxmemory", "1mb"]).await;
    let run = once(with_password(SECRET, server.port)).await;
    let Outcome::Passed { warning: Some(warning) } = &run.outcome else { panic!("{run:?}") };
    assert!(warning.ends_with("% of its memory are in use"), "{warning}");
    assert_eq!(measured(&run, "health_redis_max_memory_bytes"), Some(1_048_576.0));
    assert_eq!(measured(&run, "health_redis_master"), Some(1.0));
}

#[tokio::test]
async fn a_socket_is_asked_too() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("redis.sock");
    let _server = redis(&["--unixsocket", socket.to_str().unwrap()]).await;
    let run = once(at(&format!("unix://:{SECRET}@{}?db=2", socket.display()), Trust::Public)).await;
    assert!(passed(&run), "{run:?}");
}

#[tokio::test]
async fn tls_is_verified() {
    let certificates = Certificates::make();
    let port = free_port().to_string();
    let path = |name: &str| certificates.path(name).to_str().unwrap().to_owned();
    let (pem, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let options = ["--tls-port", &port, "--tls-cert-file", &pem, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let _server = redis(&[&options[..], &["--tls-auth-clients", "no"]].concat()).await;
    let url = format!("rediss://:{SECRET}@localhost:{port}");
    let run = once(at(&url, Trust::File(certificates.path("ca.pem")))).await;
    assert!(passed(&run), "{run:?}");
    let run = once(at(&url, Trust::Public)).await;
    let (class, error) = failure(&run);
    assert_eq!((class, error.contains("UnknownIssuer")), (Class::Tls, true), "{error}");
}

#[tokio::test]
async fn a_sentinel_leads_to_the_master() {
    let master = redis(&[]).await;
    let (port, auth) = (master.port, format!("sentinel auth-pass main {SECRET}"));
    let sentinel = Server::start(|directory, own| {
        let config = directory.join("sentinel.conf");
        let text = format!("port {own}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {port} 1\n{auth}\n");
        std::fs::write(&config, text).unwrap();
        vec!["redis-server".to_owned(), config.to_str().unwrap().to_owned(), "--sentinel".to_owned()]
    })
    .await;
    let through = |name: &str| {
        let url = format!("redis://:{SECRET}@localhost:{}", sentinel.port);
        let server = Target::new(&url, Trust::Public, Some(name.to_owned())).unwrap();
        Spec::Redis(Box::new(Settings { server, warn_percent: 80 }))
    };
    let run = once(through("main")).await;
    assert!(passed(&run), "{run:?}");
    assert_eq!(failure(&once(through("other")).await), (Class::Condition, "the sentinel knows no master \"other\""));
}
