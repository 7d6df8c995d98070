//! Programs as they are in the world: each is served, and each is stopped so that nothing of it is left.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::bed::{Seaworthy, Starting, children, descendants, get, gunicorn, nginx, npm, shell, until};

/// Serves what `answer` says, then stops with 0 and leaves no process behind.
#[track_caller]
fn served_and_stopped(starting: Starting, target: &str, answer: &str) -> String {
    let service = starting.ready();
    let got = service.get(target);
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.text().contains(answer), "{}", got.text());
    let all = descendants(service.pid());
    assert!(!all.is_empty());
    let exit = service.stop().with_code(0).saying(&["Graceful shutdown complete"]);
    let left: Vec<_> = all.iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
    assert!(left.is_empty(), "{left:?} are left; {}", exit.output);
    exit.output
}

#[test]
fn python() {
    let starting = Seaworthy::run(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]);
    std::fs::write(starting.directory().join("page.txt"), "a page").expect("it can be written");
    served_and_stopped(starting, "/page.txt", "a page");
}

#[test]
fn node() {
    let output = served_and_stopped(Seaworthy::app(), "/", "hello");
    assert_eq!(output.matches("app got SIGTERM").count(), 1, "{output}");
}

#[test]
fn gunicorn_with_workers() {
    served_and_stopped(gunicorn(), "/", "hello from gunicorn");
}

#[test]
fn nginx_by_quit_with_ranges() {
    let service = nginx().ready();
    let mut client = service.client();
    client.request("GET", "/digits", "Range: bytes=10-14\r\n");
    let part = client.answer();
    assert_eq!((part.status, part.text().as_str()), (206, "01234"));
    assert_eq!(part.header("content-range"), Some("bytes 10-14/100"));
    let all = descendants(service.pid());
    assert!(all.len() >= 3, "a master and two workers: {all:?}");
    service.stop().with_code(0);
    assert!(all.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "{all:?}");
}

#[test]
fn npm_start_which_would_swallow_the_signal() {
    let output = served_and_stopped(npm(), "/", "hello");
    assert!(output.contains("app got SIGTERM"), "{output}");
}

#[test]
fn a_shell_that_does_not_pass_signals_on() {
    let output = served_and_stopped(shell(), "/", "hello");
    assert!(output.contains("app got SIGTERM"), "{output}");
}

#[test]
fn arguments_reach_the_program_unchanged() {
    let words = ["spaces in it", "quotes '\"", "$HOME", "*", "", "ü"];
    let script = "console.log(JSON.stringify(process.argv.slice(1)));\
                  require('http').createServer((q, r) => r.end()).listen(process.env.PORT, '127.0.0.1')";
    let service = Seaworthy::run(["node", "-e", script, "--"].into_iter().chain(words)).ready();
    // A line that is JSON but no object is text.
    let said = serde_json::to_string(&words).expect("strings are JSON");
    service.log.line("its arguments", |line| line["message"] == said.as_str());
}

#[test]
fn a_program_that_dies_comes_back_and_the_request_that_came_meanwhile_is_held() {
    let service = Seaworthy::app().config("[restart]\nbackoff = \"100ms\"").ready();
    let first = children(service.pid());
    let mut dying = service.client();
    dying.request("GET", "/exit", "");
    assert_eq!(dying.answer().status, 502);
    service.log.event("app_died");
    assert_eq!(get(service.ops, "/health/live").status, 200);
    // Held until it is back.
    assert_eq!(service.get("/").text(), "hello\n");
    let second = children(service.pid());
    assert_ne!(first, second);
    assert!(service.log.event("app_died")["code"] == 3);
    service.stop().with_code(0);
}

#[test]
fn a_program_that_is_killed_is_not_ready_until_it_is_back() {
    let service = Seaworthy::app().config("[restart]\nbackoff = \"3s\"").ready();
    let app = children(service.pid())[0];
    let pid = i32::try_from(app).ok().and_then(Pid::from_raw).expect("a process has a number");
    kill_process(pid, Signal::KILL).expect("it runs");
    service.log.event("app_died");
    until("it is not ready", || (get(service.ops, "/health/ready").status == 503).then_some(()));
    assert_eq!(get(service.ops, "/health/live").status, 200);
    assert_eq!(get(service.ops, "/health/startup").status, 503);
    until("it is ready again", || (get(service.ops, "/health/ready").status == 200).then_some(()));
    assert_eq!(service.get("/").status, 200);
}

#[test]
fn no_request_is_refused_that_comes_while_nobody_knows_of_the_death() {
    let service = Seaworthy::app().config("[restart]\nbackoff = \"100ms\"").ready();
    // Leaves a kept connection, which dies with the program.
    assert_eq!(service.get("/").status, 200);
    let port = service.log.event("app_started")["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], port.expect("it has a port")));
    let app = children(service.pid())[0];
    let pid = i32::try_from(app).ok().and_then(Pid::from_raw).expect("a process has a number");
    kill_process(pid, Signal::KILL).expect("it runs");
    // Until then the kernel takes connections for it, and nobody can tell.
    until("its port is closed", || std::net::TcpStream::connect(at).is_err().then_some(()));
    let mut client = service.client();
    client.request("POST", "/upload", "Content-Length: 2\r\n");
    client.send("hi");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_program_that_dies_too_often_is_given_up_with_its_code() {
    let limits = "[restart]\nbackoff = \"10ms\"\nmax-backoff = \"20ms\"\ndeaths = 3";
    let service = Seaworthy::app().config(limits).ready();
    let times = |event: &str, times: usize| {
        let count = |lines: &[String]| lines.iter().filter(|line| line.contains(event)).count();
        service.log.until(&format!("{event} {times} times"), |lines| (count(lines) >= times).then_some(()));
    };
    for death in 1..=3 {
        times("starting → ready", death);
        let mut client = service.client();
        client.request("GET", "/exit", "");
        times("\"app_died\"", death);
    }
    service.log.event("app_gave_up");
    service.exit().with_code(3);
}

#[test]
fn what_the_program_writes_is_logged_by_line_with_its_fields() {
    let script = "console.log('plain'); console.error('trouble');\
                  console.log(JSON.stringify({ level: 'warn', message: 'structured', order: 7 }));\
                  require('http').createServer((q, r) => r.end()).listen(process.env.PORT, '127.0.0.1')";
    let service = Seaworthy::run(["node", "-e", script]).config("service = \"shop\"").ready();
    let plain = service.log.line("a plain line", |line| line["message"] == "plain");
    assert_eq!((&plain["stream"], &plain["service"]), (&"stdout".into(), &"shop".into()), "{plain}");
    assert!(plain["pid"].is_u64(), "{plain}");
    let trouble = service.log.line("a line of stderr", |line| line["message"] == "trouble");
    assert_eq!(trouble["stream"], "stderr", "{trouble}");
    let structured = service.log.line("a line of JSON", |line| line["message"] == "structured");
    assert_eq!((&structured["order"], &structured["level"]), (&7.into(), &"warn".into()), "{structured}");
}
