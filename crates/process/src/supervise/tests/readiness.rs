//! When a program counts as ready, and what it is told when it does not.

use std::net::TcpListener;
use std::num::NonZeroU16;
use std::time::Instant;

use super::*;

const SHORT: Duration = Duration::from_millis(400);

fn fixed(port: u16) -> AppPort {
    AppPort::Fixed(NonZeroU16::new(port).unwrap())
}

#[tokio::test]
async fn a_server_is_ready_where_it_listens_soon_after_it_does() {
    let mut harness = setup(node_server("r.end('hello')"), AppPort::Pick).start();
    let Report::Started { pid, port } = harness.report().await else { panic!("started") };
    harness.recorder.said("listening").await;
    let listening = Instant::now();
    let (ready_pid, address) = harness.ready().await;
    // The bar is 15 ms on a quiet machine; this one runs all other tests too.
    assert!(listening.elapsed() < Duration::from_secs(1), "{:?}", listening.elapsed());
    assert_eq!((ready_pid, address.map(|address| address.port())), (pid, port));
    assert!(tokio::net::TcpStream::connect(address.unwrap()).await.is_ok());
    let stopped = harness.stop(LONG).await;
    assert_eq!(stopped, Stopped { ending: Some(Ending::Exited(0)), killed: false });
    assert_eq!(harness.recorder.names(), ["app_started", "app_ready", "app_stopping", "app_stopped"]);
}

#[tokio::test]
async fn a_socket_of_a_grandchild_is_the_programs_too() {
    let server = "require('http').createServer((q, r) => r.end()).listen(process.env.PORT)";
    let mut command = sh("node -e \"$1\"; true");
    command.extend(words(&["sh", server]));
    let mut harness = setup(command, AppPort::Pick).start();
    let (pid, address) = harness.ready().await;
    assert!(address.is_some());
    assert!(harness.supervisor.pids().len() > 1 && harness.supervisor.pids().contains(&pid));
    harness.stop(LONG).await;
    assert_eq!(harness.supervisor.pids(), [0_u32; 0]);
}

#[tokio::test]
async fn a_ready_path_must_answer_2xx() {
    let mut built = setup(
        node_server("global.n = (global.n ?? 0) + 1; console.log(q.url); r.statusCode = n < 3 ? 503 : 204; r.end()"),
        AppPort::Pick,
    );
    built.setup.app.ready_path = Some("/ready?deep=1".to_owned());
    let mut harness = built.start();
    harness.ready().await;
    let asked = harness.recorder.lines().iter().filter(|line| *line == "/ready?deep=1").count();
    assert_eq!(asked, 3);
    harness.stop(LONG).await;
}

#[tokio::test]
async fn a_ready_path_that_never_says_so_is_70_with_its_last_answer() {
    let mut built = setup(node_server("r.statusCode = 500; r.end()"), AppPort::Pick);
    built.setup.app.ready_path = Some("/ready".to_owned());
    built.setup.start.timeout = Duration::from_secs(2);
    let mut harness = built.start();
    let failure = harness.failure().await;
    assert_eq!((failure.kind, failure.code), (FailureKind::NotReady, ExitCode::NotReady));
    assert!(failure.reason.contains("still answered 500 after 2s"), "{}", failure.reason);
    assert_eq!(failure.last_lines, ["listening", "draining"]);
}

#[tokio::test]
async fn a_program_that_never_listens_is_stopped_and_told_how_to_say_that_it_need_not() {
    let mut built = setup(sh("echo starting; exec sleep 300"), AppPort::Pick);
    built.setup.start.timeout = SHORT;
    let mut harness = built.start();
    let Report::Started { pid, .. } = harness.report().await else { panic!("started") };
    let failure = harness.failure().await;
    assert_eq!(failure.code, ExitCode::NotReady);
    assert!(failure.reason.starts_with("it listened on nothing after 400ms"), "{}", failure.reason);
    assert_eq!(failure.last_lines, ["starting"]);
    gone(pid).await;
    assert!(harness.recorder.names().contains(&"app_not_ready"));
}

#[tokio::test]
async fn a_program_that_listens_elsewhere_is_told_the_port() {
    let script = "const s = require('net').createServer().listen(0, () => console.log('on ' + s.address().port))";
    let mut built = setup(words(&["node", "-e", script]), AppPort::Pick);
    built.setup.start.timeout = Duration::from_secs(2);
    let mut harness = built.start();
    let port = harness.recorder.said_after("on ").await;
    let failure = harness.failure().await;
    assert_eq!(failure.code, ExitCode::NotReady);
    assert!(failure.reason.starts_with(&format!("it listens on port {port}, not on PORT=")), "{}", failure.reason);
    assert!(failure.reason.ends_with(&format!("set app.port = {port}")), "{}", failure.reason);
}

#[tokio::test]
async fn a_port_that_a_stranger_holds_is_not_the_programs() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let mut built = setup(sh("exec sleep 300"), fixed(port));
    built.setup.start.timeout = SHORT;
    let failure = built.start().failure().await;
    assert!(failure.reason.contains(&format!("port {port} is in use by")), "{}", failure.reason);
    assert!(failure.reason.contains(&format!("(pid {})", std::process::id())), "{}", failure.reason);
}

#[tokio::test]
async fn a_program_that_wants_our_port_is_told_so_at_its_first_death() {
    let ours = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = ours.local_addr().unwrap().port();
    let script = format!("require('http').createServer().listen({port}, '0.0.0.0')");
    let mut built = setup(words(&["node", "-e", &script]), AppPort::Pick);
    built.setup.our_ports = vec![port];
    let mut harness = built.start();
    let failure = harness.failure().await;
    assert_eq!((failure.kind, failure.code), (FailureKind::NotReady, ExitCode::NotReady));
    assert!(failure.reason.starts_with(&format!("it wants port {port}, which is ours")), "{}", failure.reason);
    assert!(failure.last_lines.iter().any(|line| line.contains("EADDRINUSE")), "{:?}", failure.last_lines);
}
