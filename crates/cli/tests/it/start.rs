//! Starts, and what becomes of those that cannot succeed.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::bed::{Seaworthy, get, program};

const QUICK: &str = "[start]\ntimeout = \"1s\"\n[restart]\nbackoff = \"10ms\"\nmax-backoff = \"20ms\"";

#[test]
fn a_program_that_is_not_there_is_named_and_ends_with_127() {
    Seaworthy::run(["no-such-program"]).exit().with_code(127).saying(&["no-such-program"]);
}

#[test]
fn a_program_that_may_not_be_executed_is_named_and_ends_with_126() {
    let starting = Seaworthy::run(["./notes.txt"]);
    let file = starting.directory().join("notes.txt");
    std::fs::write(&file, "nothing to run").expect("it can be written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("its mode can be set");
    starting.exit().with_code(126).saying(&["notes.txt"]);
}

#[test]
fn a_program_that_exits_at_once_again_and_again_is_given_up_with_its_own_code() {
    let exit = Seaworthy::run(["sh", "-c", "echo no database; exit 3"]).config(QUICK).exit();
    exit.with_code(3).saying(&["no database", "exit code 3"]);
}

#[test]
fn a_program_that_never_listens_ends_with_70_and_its_last_lines() {
    let starting = Seaworthy::run(["sh", "-c", "echo loading the model; exec sleep 600"]).config(QUICK);
    starting.exit().with_code(70).saying(&["loading the model"]);
}

#[test]
fn a_program_that_listens_elsewhere_is_told_the_port() {
    let port =
        TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("it has an address").port();
    let server = ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", &port.to_string()];
    Seaworthy::run(server).config(QUICK).exit().with_code(70).saying(&[&port.to_string()]);
}

#[test]
fn a_program_that_wants_our_own_port_is_told_so() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = free.local_addr().expect("it has an address");
    drop(free);
    let server = ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", &address.port().to_string()];
    let exit = Seaworthy::run(server).config(QUICK).listen(address).exit();
    assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
    exit.saying(&["which is ours", "$PORT"]);
}

#[test]
fn a_port_that_somebody_has_ends_with_65_and_the_holder() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let exit = Seaworthy::app().listen(address).exit().with_code(65);
    let holder = format!("(pid {})", std::process::id());
    exit.saying(&[&address.port().to_string(), &holder]);
}

#[test]
fn an_invalid_configuration_ends_with_64_and_shows_all_errors_at_once_before_anything_starts() {
    let starting = Seaworthy::run(["touch", "started"])
        .config("[limits]\nhead-timeout = 10\n[app]\nredy-path = \"/ready\"\n[headers]\npreset = \"loud\"");
    let trace = starting.directory().join("started");
    starting.exit().with_code(64).saying(&["limits.head-timeout", "redy-path", "ready-path", "loud"]);
    assert!(!trace.exists());
}

#[test]
fn a_drain_that_does_not_fit_into_its_grace_is_refused_with_the_sum() {
    let exit = Seaworthy::app().drain("grace = \"10s\"\ndelay = \"8s\"\ntimeout = \"20s\"").exit();
    exit.with_code(64).saying(&["10s", "8s", "20s"]);
}

#[test]
fn requests_before_the_first_start_are_refused_or_held_as_configured() {
    // It listens when the file is there.
    let late = "while [ ! -e go ]; do sleep 0.05; done; exec node \"$0\"";
    let app = program("app.js");
    let refusing = Seaworthy::run(["sh", "-c", late, &app]).listening();
    let answer = refusing.get("/");
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{}", answer.text());
    assert_eq!(get(refusing.ops, "/health/live").status, 200);
    assert_eq!(get(refusing.ops, "/health/ready").status, 503);
    assert_eq!(get(refusing.ops, "/health/startup").status, 503);

    let starting = Seaworthy::run(["sh", "-c", late, &app]).config("[start]\nhold = \"30s\"");
    let go = starting.directory().join("go");
    let holding = starting.listening();
    let mut client = holding.client();
    client.request("GET", "/json", "");
    std::fs::write(go, "").expect("it can be written");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_stop_during_the_start_is_clean() {
    let starting = Seaworthy::run(["sh", "-c", "exec sleep 600"]).listening();
    starting.log.event("app_started");
    let began = Instant::now();
    starting.stop().with_code(0);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn migrations_run_in_order_before_the_program_and_a_failed_one_stops_the_start() {
    let migrations = "migrate = [{ name = \"one\", command = [\"sh\", \"-c\", \"echo one >> trace\"] }, \
                      { name = \"two\", command = [\"sh\", \"-c\", \"echo two >> trace\"] }]";
    let starting = Seaworthy::app().config(migrations);
    let trace = starting.directory().join("trace");
    let service = starting.ready();
    assert_eq!(std::fs::read_to_string(trace).expect("it was written"), "one\ntwo\n");
    service.stop().with_code(0);

    let failing = "migrate = [{ name = \"schema\", command = [\"sh\", \"-c\", \"echo relation exists; exit 4\"] }]";
    let starting = Seaworthy::run(["touch", "started"]).config(failing);
    let trace = starting.directory().join("started");
    let exit = starting.exit().saying(&["schema", "relation exists"]);
    assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
    assert!(!trace.exists());
}
