//! Each example of the repository is valid, and runs where it has a program.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Seaworthy, Starting, Upstream, get, output, until};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The configurations, by the names of their directories.
fn configurations() -> Vec<(String, PathBuf)> {
    let directories = std::fs::read_dir(examples()).expect("there are examples").flatten();
    let file = |entry: std::fs::DirEntry| {
        let file = entry.path().join("seaworthy.toml");
        file.exists().then(|| (entry.file_name().to_string_lossy().into_owned(), file))
    };
    directories.filter_map(file).collect()
}

/// One of them, as it stands.
fn example(name: &str) -> Starting {
    Seaworthy::of_directory(&examples().join(name))
}

#[test]
fn every_example_is_valid_and_named_in_the_list() {
    let list = std::fs::read_to_string(examples().join("README.md")).expect("there is a list");
    let configurations = configurations();
    assert!(configurations.len() >= 6, "{configurations:?}");
    for (name, file) in configurations {
        let mut check = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        check.env_clear().args(["config", "check", "--config"]).arg(file);
        for (variable, value) in
            [("SESSION_KEY", "k"), ("DATABASE_URL", "postgres://a@db/x"), ("REDIS_URL", "redis://cache")]
        {
            check.env(variable, value);
        }
        output(&mut check);
        assert!(list.contains(&format!("]({name})")), "{name} is not in the list");
    }
}

#[test]
fn the_node_service_is_ready_and_keeps_its_secret() {
    let service = example("node").variable("SESSION_KEY", "hunter2hunter2").drained_at_once().ready();
    assert!(service.get("/orders").text().contains("anchor"));
    assert_eq!(service.get("/none").status, 404);
    let exit = service.stop().with_code(0);
    assert!(!exit.output.contains("hunter2"), "{}", exit.output);
}

#[test]
fn the_python_service_is_migrated_before_it_starts() {
    let service = example("python").drained_at_once().ready();
    assert_eq!(service.get("/").json()["total"], 4200);
    service.stop().with_code(0).saying(&["leaving: no new jobs", "gone"]);
}

#[test]
fn the_go_service_takes_what_is_sent() {
    let starting = example("go");
    let mut build = Command::new("go");
    build.args(["build", "-o", "files", "main.go"]).current_dir(starting.directory());
    let cache = Path::new(env!("CARGO_BIN_EXE_seaworthy")).with_file_name("go-cache");
    output(build.env("CGO_ENABLED", "0").env("GOCACHE", cache).env("GOTOOLCHAIN", "local"));
    let service = starting.drained_at_once().ready();
    let mut client = service.client();
    client.request("POST", "/size", "Content-Length: 5\r\n");
    client.send("hello");
    let answer = client.answer();
    assert_eq!((answer.text().as_str(), answer.header("x-frame-options")), ("5\n", Some("DENY")));
    // It has no handler for the signal, which ends it when nothing is in flight any more.
    service.stop().with_code(0);
}

#[test]
fn nginx_serves_and_stops_by_quit() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = free.local_addr().expect("it has an address").port().to_string();
    drop(free);
    let service = example("nginx").with_each("8090", &port).drained_at_once().ready();
    assert_eq!(service.get("/").text(), "hello from nginx\n");
    service.stop().with_code(0).saying(&["SIGQUIT"]);
}

#[test]
fn something_that_runs_already_is_served_with_probes_beside_it() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let service = example("upstream").with_each("http://127.0.0.1:3000", &upstream.url()).drained_at_once().ready();
    assert_eq!(service.get("/page").text(), "ok");
    assert_eq!(service.get("/health/live").json()["status"], "alive");
    service.stop().with_code(0);
}

#[test]
fn a_monitor_says_what_is_wrong_without_an_app_of_its_own() {
    let nobody = "127.0.0.1:1";
    let starting = example("monitor");
    let state = starting.directory().join("state").display().to_string();
    let service = starting
        .with_each("https://api.example.com/health", &format!("http://{nobody}/"))
        .with_each("api.example.com:443", nobody)
        .with_each("/var/lib/seaworthy", &state)
        .variable("DATABASE_URL", &format!("postgres://a@{nobody}/x"))
        .variable("REDIS_URL", &format!("redis://{nobody}"))
        .listening();
    let health = until("the checks have failed", || {
        let answer = get(service.ops, "/health").json();
        (answer["checks"]["api"]["status"] == "unhealthy").then_some(answer)
    });
    // It has run; how full the disk of this machine is, is not ours to say.
    assert!(health["checks"]["disk"]["last_checked"].is_string(), "{health}");
    assert_eq!(get(service.ops, "/health/ready").status, 503);
    assert_eq!(get(service.ops, "/health/live").status, 200);
}
