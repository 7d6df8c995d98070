//! Servers of the world under the same work: a large download, a range of it, a large upload, thousands of small
//! requests, a WebSocket where there is one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::process::Signal;

use crate::bed::{Client, Seaworthy, descendants, example, go, output, program};

/// 100 MB, the same each time.
const LARGE: usize = 100_000_000;
const SMALL: usize = 10_000;
const CLIENTS: usize = 8;

/// The file to fetch, and what it holds.
fn large_file(directory: &Path) -> (PathBuf, Vec<u8>) {
    let mut bytes = vec![0; LARGE];
    fastrand::Rng::with_seed(7).fill(&mut bytes);
    let path = directory.join("large");
    std::fs::write(&path, &bytes).expect("there is room for 100 MB");
    (path, bytes)
}

fn curl(arguments: &[&str], url: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail"]).args(arguments).arg(url);
    curl
}

#[track_caller]
fn downloads(service: &Seaworthy, directory: &Path, content: &[u8]) {
    let copy = directory.join("copy");
    let url = format!("http://{}/large", service.public);
    output(curl(&["--output"], &copy.display().to_string()).arg(&url));
    assert!(std::fs::read(&copy).expect("it was written") == content, "the copy is as the file");
    // Over the end of a piece of any power of two.
    let part = output(
        curl(&["--range", "33554400-33554463", "--write-out", "%{http_code}", "--output"], &copy.display().to_string())
            .arg(&url),
    );
    assert_eq!(part, "206");
    assert_eq!(std::fs::read(&copy).expect("it was written"), &content[33_554_400..=33_554_463]);
}

#[track_caller]
fn answers_small_requests(service: &Seaworthy, target: &'static str) {
    let public = service.public;
    let ask = move || {
        let mut client = Client::connect(public);
        for _ in 0..SMALL / CLIENTS {
            assert_eq!(client.get(target).status, 200);
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(ask)).collect();
    for client in clients {
        client.join().expect("all were answered");
    }
}

/// Stops it, and holds that nothing is left of it.
#[track_caller]
fn stops(service: Seaworthy) {
    let all = descendants(service.pid());
    assert!(!all.is_empty(), "there is a program");
    service.stop().with_code(0).saying(&["Graceful shutdown complete"]);
    let left: Vec<_> = all.iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
    assert!(left.is_empty(), "{left:?} are left");
}

/// `/upload` says what came, as JSON.
#[track_caller]
fn uploads(service: &Seaworthy, file: &Path) {
    let sum = output(Command::new("sha256sum").arg(file));
    let url = format!("http://{}/upload", service.public);
    let said = output(curl(&["--upload-file"], &file.display().to_string()).arg(url));
    let said: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!(said["bytes"], LARGE);
    assert_eq!(said["sha256"].as_str(), sum.split(' ').next());
}

/// Starts a program that answers for files, uploads and JSON, and has it do so.
#[track_caller]
fn serves(program: &Path) -> Seaworthy {
    let starting = Seaworthy::run([program.display().to_string()]);
    let directory = starting.directory().to_owned();
    let (file, content) = large_file(&directory);
    let service = starting.ready();
    downloads(&service, &directory, &content);
    uploads(&service, &file);
    answers_small_requests(&service, "/json");
    service
}

#[test]
fn go_with_net_http() {
    stops(serves(&go("server.go")));
}

#[test]
fn axum() {
    let service = serves(&example("behind_axum"));
    let mut client = Command::new("/usr/bin/python3");
    client.arg(program("websocket_client.py")).arg("echo").arg(format!("ws://{}/ws", service.public));
    assert_eq!(output(&mut client), "all came back\n");
    stops(service);
}

/// nginx as somebody else runs it, and we in front of it.
#[test]
fn nginx_as_upstream() {
    let nginx = crate::bed::Nginx::start();
    let (file, content) = large_file(nginx.directory());
    let service = Seaworthy::before(&nginx.url()).ready();
    downloads(&service, nginx.directory(), &content);
    let url = format!("http://{}/uploaded", service.public);
    output(curl(&["--upload-file"], &file.display().to_string()).arg(url));
    assert!(std::fs::read(nginx.directory().join("uploaded")).expect("it was stored") == content);
    answers_small_requests(&service, "/digits");
    service.signal(Signal::TERM);
    service.exit().with_code(0);
}
