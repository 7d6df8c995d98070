//! The commands that ask and steer a running one.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bed::{Log, Seaworthy, get, until};

#[test]
fn status_says_how_it_is() {
    let service = Seaworthy::app().config("service = \"shop\"").controlled().ready();
    let mut waiting = service.client();
    waiting.request("GET", "/wait", "");
    until("it is in flight", || (service.metric("http_active_requests") >= 1.0).then_some(()));
    let told = service.tell(&["status", "--format", "json"]).with_code(0);
    let status: serde_json::Value = serde_json::from_str(&told.output).expect("JSON");
    assert_eq!((&status["service"], &status["state"]), (&"shop".into(), &"ready".into()), "{status}");
    assert_eq!((&status["ready"], &status["in_flight"]), (&true.into(), &1.into()), "{status}");
    assert_eq!(status["listen"][0], service.public.to_string(), "{status}");
    assert_eq!(status["app"]["port"], service.app_address().port(), "{status}");
    service.tell(&["status"]).with_code(0).saying(&["shop", "ready"]);
}

#[test]
fn a_paused_one_holds_requests_until_it_goes_on() {
    let service = Seaworthy::app().controlled().ready();
    service.tell(&["pause"]).with_code(0);
    let mut held = service.client();
    held.request("GET", "/json", "");
    until("it is held", || (service.metric("http_active_requests") >= 1.0).then_some(()));
    assert_eq!(get(service.app_address(), "/waiting").status, 200, "the program itself runs");
    assert!(!service.log.so_far().contains("\"/json\""));
    service.tell(&["resume"]).with_code(0);
    assert_eq!(held.answer().status, 200);
}

#[test]
fn a_reload_shows_what_it_changed_and_what_was_wrong() {
    let service = Seaworthy::app().controlled().ready();
    let config = format!("control = {:?}\n[headers]\npreset = ", service.control_path());
    service.configure(&format!("{config}\"strict\""));
    service.tell(&["reload"]).with_code(0).saying(&["headers.preset"]);
    assert_eq!(service.get("/").header("x-frame-options"), Some("DENY"));
    service.configure(&format!("{config}\"loud\""));
    let refused = service.tell(&["reload"]).saying(&["headers.preset", "loud"]);
    assert_eq!(refused.code, Some(64));
}

#[test]
fn the_level_of_the_log_changes_while_it_runs() {
    let service = Seaworthy::app().controlled().ready();
    service.tell(&["loglevel", "error"]).with_code(0);
    // A worker looks at it ten times a second.
    let told = Instant::now();
    until("the workers have seen it", || (told.elapsed() > Duration::from_millis(500)).then_some(()));
    assert_eq!(service.get("/json").status, 200);
    service.tell(&["loglevel", "info"]).with_code(0);
    until("requests leave lines again", || {
        assert_eq!(service.get("/head").status, 200);
        service.log.so_far().contains("\"/head\"").then_some(())
    });
    assert!(!service.log.so_far().contains("\"/json\""));
}

#[test]
fn a_drain_by_command_ends_as_one_by_signal() {
    let service = Seaworthy::app().controlled().ready();
    service.tell(&["drain"]).with_code(0);
    service.exit().with_code(0).saying(&["Graceful shutdown complete"]);
}

#[test]
fn a_command_that_reaches_nobody_says_so() {
    let nobody = tempfile::tempdir().expect("a directory can be made");
    let mut status = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    status.env_clear().env("SEAWORTHY_CONTROL", nobody.path().join("control.sock")).arg("status");
    let said = status.output().expect("it runs");
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("control.sock"), "{said:?}");
}

#[test]
fn a_probe_exits_with_the_verdict() {
    let service = Seaworthy::app().drain("grace = \"30s\"\ndelay = \"3s\"").ready();
    let admin = service.ops.to_string();
    let probe = |what: &str| {
        let mut probe = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        probe.env_clear().args(["probe", what, "--admin", &admin]).output().expect("it runs").status.code()
    };
    assert_eq!((probe("ready"), probe("live")), (Some(0), Some(0)));
    service.signal(rustix::process::Signal::TERM);
    service.log.event("draining");
    assert_eq!((probe("ready"), probe("live")), (Some(1), Some(0)));
}

#[test]
fn the_demo_serves_its_sample() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    demo.env_clear().args(["demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let mut demo = demo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
    let log = Log::of(demo.stdout.take().expect("it is piped"));
    let banner = log.event("listening");
    let address = |key: &str| banner[key].as_str().and_then(|address| address.parse().ok()).expect("an address");
    until("it is ready", || (get(address("admin"), "/health/ready").status == 200).then_some(()));
    assert_eq!(get(address("public"), "/").status, 200);
    let pid = i32::try_from(demo.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process has a number");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    assert!(demo.wait().expect("it ends").success());
}
