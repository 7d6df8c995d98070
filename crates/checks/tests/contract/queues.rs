//! `nats` against NATS, and `bullmq` against what BullMQ itself put into Redis.

use std::path::PathBuf;
use std::process::Command;

use seaworthy_checks::Trust;
use seaworthy_checks::kinds::{Spec, bullmq, nats, redis};
use seaworthy_core::health::{Class, Outcome, Run};

use crate::bed::{Certificates, Server, failure, once, passed};
use crate::contract::{Subject, hold};

const SECRET: &str = "hunter2-nats";

async fn nats_server(more: &[&str]) -> Server {
    let more: Vec<_> = more.iter().map(|&word| word.to_owned()).collect();
    Server::start(|directory, port| {
        let (port, store) = (port.to_string(), directory.to_str().unwrap().to_owned());
        let usual = ["nats-server", "-a", "127.0.0.1", "-p", &port, "--jetstream", "-sd", &store];
        let user = ["--user", "watch", "--pass", SECRET];
        usual.into_iter().chain(user).map(str::to_owned).chain(more).collect()
    })
    .await
}

fn nats_at(url: &str, consumers: &[&str], trust: Trust) -> Spec {
    let server = nats::Server::new(url, trust).unwrap();
    let consumers = consumers.iter().map(|name| name.parse().unwrap()).collect();
    Spec::Nats(Box::new(nats::Settings { server, consumers, warn_pending: Some(1) }))
}

#[tokio::test]
async fn the_contract_holds_for_nats() {
    hold(Subject::new(
        nats_server(&[]).await,
        |port| nats_at(&format!("nats://watch:{SECRET}@127.0.0.1:{port}"), &[], Trust::Public),
        SECRET,
    ))
    .await;
}

#[tokio::test]
async fn nats_refuses_strangers_and_knows_its_consumers() {
    let server = nats_server(&[]).await;
    for user in ["watch:wrong@", ""] {
        let run = once(nats_at(&format!("nats://{user}localhost:{}", server.port), &[], Trust::Public)).await;
        assert_eq!(failure(&run), (Class::Auth, "Authorization Violation"));
    }
    let url = format!("nats://watch:{SECRET}@localhost:{}", server.port);
    let run = once(nats_at(&url, &["ORDERS/mailer"], Trust::Public)).await;
    let (class, error) = failure(&run);
    assert_eq!((class, error.starts_with("the consumer ORDERS/mailer: ")), (Class::Condition, true), "{error}");

    fill(server.port).await;
    let run = once(nats_at(&url, &["ORDERS/mailer"], Trust::Public)).await;
    let Outcome::Passed { warning: Some(warning) } = &run.outcome else { panic!("{run:?}") };
    assert_eq!(warning, "3 messages wait for ORDERS/mailer, more than 1");
    assert_eq!(labelled(&run, "health_nats_consumer_pending", "ORDERS/mailer"), Some(3.0));
}

/// Makes a stream with a consumer and three messages, by the protocol itself.
async fn fill(port: u16) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = BufReader::new(stream);
    let connect = format!(r#"CONNECT {{"verbose":false,"user":"watch","pass":"{SECRET}"}}"#);
    let publish = |subject: &str, body: &str| format!("PUB {subject} reply {}\r\n{body}\r\n", body.len());
    let commands = [
        format!("{connect}\r\nSUB reply 1\r\n"),
        publish("$JS.API.STREAM.CREATE.ORDERS", r#"{"name":"ORDERS","subjects":["orders"]}"#),
        publish(
            "$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.mailer",
            r#"{"stream_name":"ORDERS","config":{"durable_name":"mailer","ack_policy":"explicit"}}"#,
        ),
        publish("orders", "1") + &publish("orders", "2") + &publish("orders", "3") + "PING\r\n",
    ];
    stream.write_all(commands.concat().as_bytes()).await.unwrap();
    let mut answers = 0;
    // Two of the interface, three of the stream.
    while answers < 5 {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "NATS closed the connection");
        answers += usize::from(line.starts_with("MSG "));
    }
}

#[tokio::test]
async fn nats_over_tls_is_verified() {
    let certificates = Certificates::make();
    let path = |name: &str| certificates.path(name).to_str().unwrap().to_owned();
    let server = nats_server(&["--tls", "--tlscert", &path("server.pem"), "--tlskey", &path("server.key")]).await;
    let url = format!("tls://watch:{SECRET}@localhost:{}", server.port);
    let run = once(nats_at(&url, &[], Trust::File(certificates.path("ca.pem")))).await;
    assert!(passed(&run), "{run:?}");
    assert_eq!(failure(&once(nats_at(&url, &[], Trust::Public)).await).0, Class::Tls);
}

fn labelled(run: &Run, name: &str, label: &str) -> Option<f64> {
    let found = run
        .measures
        .iter()
        .find(|measure| measure.name == name && measure.labels.iter().any(|(_, value)| value == label));
    found.map(|measure| measure.value)
}

async fn redis_server() -> Server {
    // What it is told it remembers: the queues must be there after a restart.
    Server::start(|_, port| {
        let port = port.to_string();
        ["redis-server", "--port", &port, "--bind", "127.0.0.1", "--appendonly", "yes"].map(str::to_owned).to_vec()
    })
    .await
}

fn bullmq_at(port: u16, queue: &str) -> Spec {
    let server = redis::Server::new(&format!("redis://127.0.0.1:{port}"), Trust::Public, None).unwrap();
    let (queues, prefix) = (vec![queue.to_owned()], "bull".to_owned());
    Spec::Bullmq(Box::new(bullmq::Settings { server, queues, prefix, warn_pending: Some(1) }))
}

/// BullMQ from npm, installed once.
fn bullmq_directory() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bullmq");
    if !directory.join("node_modules/bullmq/package.json").exists() {
        std::fs::create_dir_all(&directory).unwrap();
        let install = ["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "bullmq@5"];
        let output = Command::new("npm").args(install).current_dir(&directory).output().expect("npm runs");
        assert!(output.status.success(), "npm: {}", String::from_utf8_lossy(&output.stderr));
    }
    directory
}

#[tokio::test]
async fn jobs_that_bullmq_put_into_redis_are_counted_and_the_contract_holds() {
    let server = redis_server().await;
    let unknown = once(bullmq_at(server.port, "mail")).await;
    assert_eq!(failure(&unknown), (Class::Condition, "there is no queue \"mail\" with the prefix \"bull\""));
    let script = format!(
        "const {{ Queue }} = require('bullmq');
         (async () => {{
           const queue = new Queue('mail', {{ connection: {{ host: '127.0.0.1', port: {} }} }});
           await queue.add('a', {{}}, {{ timestamp: Date.now() - 60000 }});
           await queue.add('b', {{}});
           await queue.add('c', {{}}, {{ delay: 3600000 }});
           await queue.add('d', {{}}, {{ priority: 3 }});
           await queue.close();
         }})();",
        server.port
    );
    let output = Command::new("node").args(["-e", &script]).current_dir(bullmq_directory()).output().unwrap();
    assert!(output.status.success(), "node: {}", String::from_utf8_lossy(&output.stderr));
    let run = once(bullmq_at(server.port, "mail")).await;
    let sizes =
        ["waiting", "delayed", "prioritized", "active", "failed"].map(|status| labelled(&run, "queue_size", status));
    assert_eq!(sizes, [2.0, 1.0, 1.0, 0.0, 0.0].map(Some), "{run:?}");
    let oldest = labelled(&run, "health_queue_oldest_waiting_seconds", "mail").unwrap();
    assert!((60.0..600.0).contains(&oldest), "{oldest}");
    let Outcome::Passed { warning: Some(warning) } = &run.outcome else { panic!("{run:?}") };
    assert_eq!(warning, "3 jobs wait in \"mail\", more than 1");
    hold(Subject::new(server, |port| bullmq_at(port, "mail"), "nothing is secret here")).await;
}
