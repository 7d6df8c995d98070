//! The audit trail: what is in it, and who finds what was done to it.

use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::bed::{Seaworthy, Starting, get, until};

/// With a trail, in a directory that outlives it.
fn audited(starting: Starting) -> (Starting, TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("audit.jsonl");
    let config = format!("[audit]\npath = {:?}", path.display().to_string());
    (starting.config(&config), directory, path)
}

fn entries(path: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits until the disk has an entry of this name.
fn entry(path: &PathBuf, name: &str) -> Value {
    until(&format!("the entry {name}"), || {
        let text = std::fs::read_to_string(path).ok()?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|entry| entry["event"] == name)
    })
}

#[test]
fn who_did_what_is_on_the_disk() {
    let (starting, _directory, path) = audited(Seaworthy::app().controlled());
    let service = starting.ready();
    service.tell(&["pause"]).with_code(0);
    service.tell(&["resume"]).with_code(0);
    service.tell(&["loglevel", "debug"]).with_code(0);
    let control = format!("control = {:?}", service.control_path());
    let trail = format!("[audit]\npath = {:?}", path.display().to_string());
    service.configure(&format!(
        "{control}\n{trail}\n[headers]\npreset = \"strict\"\n[app.env]\nAPI_TOKEN = \"abracadabra\""
    ));
    service.tell(&["reload"]).with_code(0);
    service.tell(&["drain"]).with_code(0);
    service.exit().with_code(0);

    let entries = entries(&path);
    let names: Vec<_> = entries.iter().filter_map(|entry| entry["event"].as_str()).collect();
    for name in [
        "trail_opened",
        "app_started",
        "app_ready",
        "paused",
        "resumed",
        "control_asked",
        "config_reloaded",
        "stop_began",
        "app_stopped",
        "stop_ended",
        "trail_closed",
    ] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    let of = |name: &str| entries.iter().find(|entry| entry["event"] == name).unwrap();
    let by = format!("uid {} pid", rustix::process::getuid().as_raw());
    assert!(of("paused")["by"].as_str().is_some_and(|who| who.starts_with(&by)), "{}", of("paused"));
    let reloaded = &of("config_reloaded")["details"];
    assert!(
        reloaded["values"].as_str().is_some_and(|values| values.contains("headers.preset: \"default\" → \"strict\"")),
        "{reloaded}"
    );
    assert!(
        reloaded["values"].as_str().is_some_and(|values| values.contains("app.env.API_TOKEN: nothing → \"***\"")),
        "{reloaded}"
    );
    assert!(!std::fs::read_to_string(&path).unwrap().contains("abracadabra"));
}

#[test]
fn a_kill_in_the_middle_leaves_a_trail_that_goes_on_and_verifies() {
    let (starting, _directory, path) = audited(Seaworthy::app().controlled());
    let service = starting.ready();
    entry(&path, "app_ready");
    service.signal(Signal::KILL);
    until("it is gone", || (get_is_refused(&service)).then_some(()));
    // Half a line, as a crash in the middle of writing leaves it.
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"seq\":99,\"ti");
    std::fs::write(&path, text).unwrap();

    let again = Seaworthy::app().config(&format!("[audit]\npath = {:?}", path.display().to_string())).ready();
    until("the trail goes on", || {
        let mut opened = entries(&path).into_iter().filter(|entry| entry["event"] == "trail_opened");
        opened.next_back().filter(|opened| opened["details"]["torn_line"] == "{\"seq\":99,\"ti").map(|_| ())
    });
    let verified = again.tell(&["audit", "verify", &path.display().to_string(), "--format", "text"]).with_code(0);
    assert!(verified.output.contains("every line is as it was written"), "{}", verified.output);
    again.stop().with_code(0);
    drop(service);
}

fn get_is_refused(service: &Seaworthy) -> bool {
    std::net::TcpStream::connect(service.ops).is_err()
}

#[test]
fn verify_says_which_line_was_edited_taken_out_or_cut_off() {
    let (starting, _directory, path) = audited(Seaworthy::app().controlled());
    let service = starting.ready();
    service.tell(&["pause"]).with_code(0);
    service.tell(&["resume"]).with_code(0);
    entry(&path, "resumed");
    let file = path.display().to_string();
    let verify = || service.tell(&["audit", "verify", &file, "--format", "json"]);
    verify().with_code(0);
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let with = |text: &str, code: i32, words: &[&str]| {
        std::fs::write(&path, text).unwrap();
        verify().with_code(code).saying(words);
    };
    with(&whole.replace("paused by", "Paused by"), 1, &["was edited"]);
    let mut others = lines.clone();
    others.remove(1);
    let without = others.join("\n") + "\n";
    with(&without, 1, &["entry 2 is missing before line 2"]);
    let last = lines.len();
    with(
        &(lines[..last - 1].join("\n") + "\n"),
        1,
        &[&format!("entry {last} is missing after line {}, at the end", last - 1)],
    );
    with(&whole[..whole.len() - 20], 1, &[&format!("line {last} is cut off")]);
    with(&whole, 0, &["\"findings\":[]"]);
    service.stop().with_code(0);
}

#[test]
fn a_full_disk_is_told_and_counted_and_stops_nothing() {
    let service = Seaworthy::app().config("[audit]\npath = \"/dev/full\"").ready();
    let failed = service.log.event("audit_failed");
    assert_eq!(failed["level"], "error", "{failed}");
    until("it is counted", || (service.metric("seaworthy_audit_entries_waiting") >= 1.0).then_some(()));
    assert_eq!(get(service.public, "/json").status, 200);
    service.stop().with_code(0);
}

#[test]
fn a_trail_that_cannot_be_kept_is_an_error_before_anything_starts() {
    let refused = Seaworthy::app().config("[audit]\npath = \"/nonexistent/audit.jsonl\"").exit().with_code(1);
    assert!(refused.output.contains("the audit trail /nonexistent/audit.jsonl cannot be opened"), "{}", refused.output);
}
