//! `amqp` against RabbitMQ. It takes seconds to start, so one test does with one of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use seaworthy_checks::kinds::Spec;
use seaworthy_checks::kinds::amqp::{Server as Target, Settings};
use seaworthy_checks::{Identity, Tls, Trust};
use seaworthy_core::health::{Class, Outcome, Run};

use crate::bed::{Certificates, End, Server, failure, free_port, once, passed, until};
use crate::contract::{Subject, hold};

const SECRET: &str = "hunter2-amqp";

/// Users, virtual hosts and queues, as RabbitMQ reads them at its first start.
const DEFINITIONS: &str = r#"{
  "vhosts": [{ "name": "/" }, { "name": "shop" }, { "name": "closed" }],
  "users": [
    { "name": "watch", "password": "hunter2-amqp", "tags": "" },
    { "name": "test", "password": "unused", "tags": "" }
  ],
  "permissions": [
    { "user": "watch", "vhost": "/", "configure": "", "write": ".*", "read": ".*" },
    { "user": "watch", "vhost": "shop", "configure": "", "write": ".*", "read": ".*" },
    { "user": "test", "vhost": "/", "configure": "", "write": "", "read": "" }
  ],
  "queues": [
    { "name": "mail", "vhost": "shop", "durable": true, "auto_delete": false, "arguments": {} },
    { "name": "idle", "vhost": "shop", "durable": true, "auto_delete": false, "arguments": {} }
  ]
}"#;

/// Puts three messages into a queue, and reads from another until it is ended.
const CLIENT: &str = r#"
import sys, pika
port, password = int(sys.argv[1]), sys.argv[2]
parameters = pika.ConnectionParameters("127.0.0.1", port, "shop", pika.PlainCredentials("watch", password))
channel = pika.BlockingConnection(parameters).channel()
channel.confirm_delivery()
for body in (b"1", b"2", b"3"):
    channel.basic_publish("", "mail", body)
channel.basic_consume("idle", lambda *_: None, auto_ack=True)
print("ready", flush=True)
channel.start_consuming()
"#;

/// The broker, and the directory of names without which it does not start.
struct Rabbit {
    server: Server,
    tls_port: u16,
    _names: Server,
}

fn program() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/rabbitmq/lib").expect("RabbitMQ is installed");
    let newest = versions.map(|entry| entry.unwrap().path()).max().expect("a version of it");
    // The one in PATH changes its user, and knows one place for everything.
    newest.join("sbin/rabbitmq-server")
}

fn settings(directory: &Path, port: u16, tls_port: u16, certificates: &Certificates) -> String {
    let path = |name: &str| certificates.path(name).display().to_string();
    [
        format!("listeners.tcp.default = 127.0.0.1:{port}"),
        format!("listeners.ssl.default = 127.0.0.1:{tls_port}"),
        format!("ssl_options.cacertfile = {}", path("ca.pem")),
        format!("ssl_options.certfile = {}", path("server.pem")),
        format!("ssl_options.keyfile = {}", path("server.key")),
        "ssl_options.verify = verify_peer".to_owned(),
        "ssl_options.fail_if_no_peer_cert = false".to_owned(),
        "ssl_cert_login_from = common_name".to_owned(),
        "auth_mechanisms.1 = PLAIN".to_owned(),
        "auth_mechanisms.2 = EXTERNAL".to_owned(),
        format!("load_definitions = {}", directory.join("definitions.json").display()),
    ]
    .join("\n")
}

async fn rabbit(certificates: &Certificates) -> Rabbit {
    let names = Server::ended(End::By(Signal::TERM), |_, port| {
        ["epmd", "-port", &port.to_string(), "-address", "127.0.0.1"].map(str::to_owned).to_vec()
    })
    .await;
    let (names_port, tls_port) = (names.port, free_port());
    let server = Server::ended(End::Kill, |directory, port| {
        let path = |name: &str| directory.join(name).display().to_string();
        std::fs::write(directory.join("definitions.json"), DEFINITIONS).unwrap();
        std::fs::write(directory.join("rabbitmq.conf"), settings(directory, port, tls_port, certificates)).unwrap();
        std::fs::write(directory.join("plugins"), "[rabbitmq_auth_mechanism_ssl].").unwrap();
        let environment = [
            ("HOME", path("")),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_EPMD_PORT", names_port.to_string()),
            ("RABBITMQ_NODENAME", "seaworthy@localhost".to_owned()),
            ("RABBITMQ_DIST_PORT", free_port().to_string()),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq")),
            ("RABBITMQ_CONF_ENV_FILE", path("none")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", path("generated")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins")),
            ("RABBITMQ_FEATURE_FLAGS_FILE", path("features")),
            ("RABBITMQ_MNESIA_BASE", path("data")),
            ("RABBITMQ_LOG_BASE", path("log")),
            ("RABBITMQ_PID_FILE", path("pid")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            // One scheduler that does not spin: other tests run on the same processors.
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none".to_owned()),
        ];
        let environment = environment.into_iter().map(|(name, value)| format!("{name}={value}"));
        ["env".to_owned()].into_iter().chain(environment).chain([program().display().to_string()]).collect()
    })
    .await;
    Rabbit { server, tls_port, _names: names }
}

fn at(url: &str, tls: Tls, queues: &[&str]) -> Settings {
    let queues = queues.iter().map(|&queue| queue.to_owned()).collect();
    Settings { server: Target::new(url, tls).unwrap(), queues, warn_pending: None, min_consumers: None }
}

async fn asked(settings: Settings) -> Run {
    once(Spec::Amqp(Box::new(settings))).await
}

fn url(port: u16, vhost: &str) -> String {
    format!("amqp://watch:{SECRET}@127.0.0.1:{port}/{vhost}")
}

#[tokio::test]
async fn the_contract_holds_and_queues_are_counted() {
    let certificates = Certificates::make();
    let rabbit = rabbit(&certificates).await;
    let port = rabbit.server.port;
    until("it has read its definitions", async || {
        passed(&asked(at(&url(port, "shop"), Tls::default(), &["mail", "idle"])).await).then_some(())
    })
    .await;
    strangers(port).await;
    queues(port).await;
    tls(&certificates, rabbit.tls_port).await;
    hold(Subject {
        quick: false,
        ..Subject::new(
            rabbit.server,
            |port| Spec::Amqp(Box::new(at(&url(port, "shop"), Tls::default(), &["mail"]))),
            SECRET,
        )
    })
    .await;
}

async fn strangers(port: u16) {
    for credentials in ["watch:wrong-secret", "nobody:wrong-secret", "guest"] {
        let run = asked(at(&format!("amqp://{credentials}@localhost:{port}"), Tls::default(), &[])).await;
        let (class, error) = failure(&run);
        assert_eq!((class, error.starts_with("ACCESS_REFUSED")), (Class::Auth, true), "{credentials}: {error}");
        assert!(!error.contains("wrong-secret"), "{error}");
    }
    let closed = asked(at(&url(port, "closed"), Tls::default(), &[])).await;
    let (class, error) = failure(&closed);
    assert_eq!((class, error.contains("refused for user 'watch'")), (Class::Auth, true), "{error}");
    let nowhere = asked(at(&url(port, "nowhere"), Tls::default(), &[])).await;
    assert_eq!(failure(&nowhere), (Class::Condition, "NOT_ALLOWED - vhost nowhere not found (530)"));
}

async fn queues(port: u16) {
    let shop = |queues: &[&str]| at(&url(port, "shop"), Tls::default(), queues);
    let missing = asked(shop(&["mail", "lost"])).await;
    assert_eq!(failure(&missing), (Class::Condition, "NOT_FOUND - no queue 'lost' in vhost 'shop' (404)"));
    let mut client = Command::new("/usr/bin/python3");
    client.args(["-c", CLIENT, &port.to_string(), SECRET]).stdout(std::process::Stdio::piped());
    let mut client = client.spawn().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(client.stdout.as_mut().unwrap()), &mut said).unwrap();
    assert_eq!(said, "ready\n");
    let counted = |run: &Run, name: &str, queue: &str| {
        let of_queue = |(label, value): &(&str, String)| *label == "queue" && value == queue;
        run.measures.iter().find(|measure| measure.name == name && measure.labels.iter().any(of_queue)).map(|m| m.value)
    };
    let run = asked(Settings { warn_pending: Some(2), ..shop(&["mail", "idle"]) }).await;
    let Outcome::Passed { warning: Some(warning) } = &run.outcome else { panic!("{run:?}") };
    assert_eq!(warning, "3 messages wait in \"mail\", more than 2");
    assert_eq!(counted(&run, "health_amqp_queue_messages", "mail"), Some(3.0));
    assert_eq!(counted(&run, "health_amqp_queue_consumers", "mail"), Some(0.0));
    assert_eq!(counted(&run, "health_amqp_queue_consumers", "idle"), Some(1.0));
    let consumed = |queue: &'static str| asked(Settings { min_consumers: Some(1), ..shop(&[queue]) });
    assert!(passed(&consumed("idle").await));
    assert_eq!(failure(&consumed("mail").await), (Class::Condition, "0 consumers read from \"mail\", fewer than 1"));
    client.kill().unwrap();
    client.wait().unwrap();
}

async fn tls(certificates: &Certificates, port: u16) {
    let trust = || Trust::File(certificates.path("ca.pem"));
    let secure = |query: &str| format!("amqps://watch:{SECRET}@localhost:{port}/shop{query}");
    let run = asked(at(&secure(""), trust().into(), &["mail"])).await;
    assert!(passed(&run), "{run:?}");
    assert_eq!(failure(&asked(at(&secure(""), Tls::default(), &[])).await).0, Class::Tls);
    let plain = asked(at(&url(port, "shop"), Tls::default(), &[])).await;
    assert!(matches!(failure(&plain).0, Class::Protocol | Class::Refused), "{plain:?}");

    // Its name is `test`, and it is a user.
    let identity = Identity { certificate: certificates.path("server.pem"), key: certificates.path("server.key") };
    let tls = Tls { trust: trust(), identity: Some(identity) };
    let external = format!("amqps://localhost:{port}/?auth_mechanism=external");
    let run = asked(at(&external, tls, &[])).await;
    assert!(passed(&run), "{run:?}");
}
