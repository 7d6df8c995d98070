//! From the signal to the exit.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bed::{Client, Closed, Log, Seaworthy, descendants, get, program, until};

const SLOW: &str = "grace = \"30s\"\ndelay = \"2s\"\n";

#[test]
fn a_drain_withdraws_readiness_first_and_serves_new_connections_meanwhile() {
    let service = Seaworthy::app().drain(SLOW).ready();
    let mut kept = service.client();
    assert_eq!(kept.get("/").header("connection"), None);
    service.signal(Signal::TERM);
    service.log.event("draining");
    assert_eq!(get(service.ops, "/health/ready").status, 503);
    for probe in ["/health/live", "/health/startup"] {
        assert_eq!(get(service.ops, probe).status, 200, "{probe}");
    }
    assert_eq!(get(service.ops, "/health").status, 503);
    let mut new = service.client();
    for client in [&mut kept, &mut new] {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        assert_eq!(client.closed(), (Closed::Ended, Vec::new()));
    }
    service.exit().with_code(0);
}

#[test]
fn a_request_in_flight_is_finished_and_the_program_gets_its_signal_only_then() {
    let service = Seaworthy::app().drain("grace = \"30s\"\ndelay = \"0s\"").ready();
    let app = service.app_address();
    let mut client = service.client();
    client.request("GET", "/wait", "");
    until("the program has it", || (get(app, "/waiting").text() == "1").then_some(()));
    service.signal(Signal::TERM);
    service.log.event("listeners_closed");
    assert!(Client::try_connect(service.public).is_err(), "the listener is closed");
    assert!(!service.log.so_far().contains("stopping app"));
    // The program is still served by nobody but us, and still there.
    assert_eq!(get(app, "/release").text(), "1");
    let answer = client.answer();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("released\n", Some("close")));
    let exit = service.exit().with_code(0);
    let order = [
        "SIGTERM received, starting graceful shutdown",
        "draining: readiness withdrawn",
        "HTTP server closed",
        "stopping app",
        "app got SIGTERM",
        "app stopped",
        "Graceful shutdown complete",
    ];
    let places: Vec<_> = order.iter().map(|message| exit.output.find(message)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}\n{}", exit.output);
}

#[test]
fn a_request_that_does_not_end_in_time_is_cut_and_named_and_the_exit_says_so() {
    let service = Seaworthy::app().drain("grace = \"4s\"\ndelay = \"0s\"\ntimeout = \"500ms\"").ready();
    let app = service.app_address();
    let mut client = service.client();
    client.request("GET", "/wait?for=ever", "");
    until("the program has it", || (get(app, "/waiting").text() == "1").then_some(()));
    let exit = service.stop().with_code(1);
    exit.saying(&["request cut after", "GET /wait", "Forced shutdown after timeout"]);
}

#[test]
fn an_idle_connection_is_closed_in_order_and_one_with_half_a_head_is_served() {
    let service = Seaworthy::app().drain("grace = \"30s\"\ndelay = \"0s\"").ready();
    let (mut idle, mut half) = (service.client(), service.client());
    assert_eq!(idle.get("/").status, 200);
    assert_eq!(half.get("/").status, 200);
    half.send("GET /json HTTP/1.1\r\nHost: a\r\n");
    until("it arrived", || (service.metric("http_active_connections{protocol=\"http1\"}") >= 2.0).then_some(()));
    service.signal(Signal::TERM);
    service.log.event("listeners_closed");
    assert_eq!(idle.closed(), (Closed::Ended, Vec::new()));
    half.send("\r\n");
    let answer = half.answer();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    service.exit().with_code(0);
}

#[test]
fn a_policy_of_reject_refuses_during_the_delay() {
    let service = Seaworthy::app().drain(&format!("{SLOW}policy = \"reject\"")).ready();
    service.signal(Signal::TERM);
    service.log.event("draining");
    let answer = service.get("/");
    assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
    assert!(answer.header("retry-after").is_some());
    service.exit().with_code(0);
}

#[test]
fn a_websocket_gets_its_goodbye() {
    let starting = Seaworthy::run(["/usr/bin/python3".to_owned(), program("websocket_server.py")]);
    let service = starting.drain("grace = \"30s\"\ndelay = \"0s\"\nwebsocket-spread = \"200ms\"").ready();
    let mut client = Command::new("/usr/bin/python3");
    client.arg("-u").arg(program("websocket_client.py")).arg("stay").arg(format!("ws://{}/", service.public));
    let mut client = client.stdout(Stdio::piped()).spawn().expect("python starts");
    let said = Log::of(client.stdout.take().expect("it is piped"));
    said.until("it is connected", |lines| (lines == ["here"]).then_some(()));
    service.stop().with_code(0);
    assert_eq!(said.all(), "here\nclosed with 1001");
    assert!(client.wait().expect("it ends").success());
}

#[test]
fn an_event_stream_is_ended_and_counts_as_graceful() {
    let service = Seaworthy::app().drain("grace = \"30s\"\ndelay = \"0s\"\nwebsocket-spread = \"200ms\"").ready();
    let mut client = service.client();
    client.request("GET", "/events", "");
    assert_eq!(client.head().status, 200);
    service.signal(Signal::TERM);
    let (closed, rest) = client.closed();
    assert_eq!(closed, Closed::Ended);
    assert!(String::from_utf8_lossy(&rest).contains("data: first"), "{rest:?}");
    service.exit().with_code(0);
}

#[test]
fn a_request_over_http2_is_finished() {
    let service = Seaworthy::app().drain("grace = \"30s\"\ndelay = \"300ms\"").ready();
    let app = service.app_address();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--http2-prior-knowledge", "--write-out", "%{http_version} %{http_code}"]);
    let curl = curl.arg(format!("http://{}/wait", service.public)).stdout(Stdio::piped()).spawn().expect("curl starts");
    until("the program has it", || (get(app, "/waiting").text() == "1").then_some(()));
    service.signal(Signal::TERM);
    service.log.event("listeners_closed");
    assert_eq!(get(app, "/release").text(), "1");
    let answered = curl.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&answered.stdout), "released\n2 200");
    service.exit().with_code(0);
}

#[test]
fn a_second_signal_later_forces_and_nothing_of_the_program_is_left() {
    // It ignores TERM, and so does what it started.
    let stubborn = "trap '' TERM; node \"$0\" & while :; do sleep 1; done";
    let service =
        Seaworthy::run(["sh", "-c", stubborn, &program("app.js")]).drain("grace = \"60s\"\ndelay = \"30s\"").ready();
    let all = descendants(service.pid());
    service.signal(Signal::TERM);
    service.log.event("draining");
    // Within a second it is an echo of the first.
    service.signal(Signal::TERM);
    let echoed = Instant::now();
    until("an echo would be later", || (echoed.elapsed() > Duration::from_millis(1100)).then_some(()));
    assert_eq!(get(service.ops, "/health/live").status, 200, "the echo changed nothing");
    let began = Instant::now();
    service.signal(Signal::TERM);
    service.exit().with_code(1).saying(&["Forced shutdown"]);
    assert!(began.elapsed() < Duration::from_secs(10));
    until("all are gone", || {
        all.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
}

#[test]
fn a_program_that_ignores_its_signal_is_killed_when_the_grace_is_over() {
    let script = "process.on('SIGTERM', () => {}); require('http').createServer((q, r) => r.end()).listen(process.env.PORT, '127.0.0.1')";
    let service = Seaworthy::run(["node", "-e", script]).drain("grace = \"3s\"\ndelay = \"0s\"").ready();
    let began = Instant::now();
    service.stop().with_code(1).saying(&["app killed"]);
    assert!(began.elapsed() >= Duration::from_millis(1500), "it was given what was left of the grace");
}

#[test]
fn hooks_run_each_in_its_place_and_a_failed_one_stops_nothing() {
    let config = "[stop]\nbefore = [[\"sh\", \"-c\", \"echo before >> trace\"], [\"false\"]]\n\
                  after = [[\"sh\", \"-c\", \"echo after >> trace\"]]";
    let drain = "grace = \"30s\"\ndelay = \"0s\"\non-start = [[\"sh\", \"-c\", \"echo start >> trace\"]]";
    let script = "process.on('SIGTERM', () => { require('fs').appendFileSync('trace', 'program\\n'); process.exit(0) });\
                  require('http').createServer((q, r) => r.end()).listen(process.env.PORT, '127.0.0.1')";
    let starting = Seaworthy::run(["node", "-e", script]).config(config).drain(drain);
    let directory = tempfile::tempdir().expect("a directory can be made");
    let trace = directory.path().join("trace");
    // The process's own directory goes with it, so the trace is looked at through a link that stays.
    std::fs::write(&trace, "").expect("it can be written");
    std::os::unix::fs::symlink(&trace, starting.directory().join("trace")).expect("it can be linked");
    starting.ready().stop().saying(&["command_failed"]);
    assert_eq!(std::fs::read_to_string(trace).expect("it was written"), "start\nbefore\nprogram\nafter\n");
}

#[test]
fn the_exit_follows_the_programs_own_closely() {
    let service = Seaworthy::app().ready();
    service.signal(Signal::TERM);
    service.log.event("app_stopped");
    let stopped = Instant::now();
    service.exit().with_code(0);
    // 100 ms on a machine that does nothing else; this one runs the other tests.
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
}
