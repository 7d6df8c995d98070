//! The commands as they are run: what they print, where, and how they end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use tempfile::TempDir;

/// A machine with nothing on it but what a test puts there.
struct Machine {
    directory: TempDir,
    variables: Vec<(&'static str, String)>,
}

fn machine() -> Machine {
    Machine { directory: tempfile::tempdir().unwrap(), variables: Vec::new() }
}

impl Machine {
    fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    fn with_file(self, text: &str) -> Self {
        std::fs::write(self.directory.path().join("seaworthy.toml"), text).unwrap();
        self
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    /// A process that answers each command with the first reply whose name is in it.
    fn with_process(self, replies: &'static [(&'static str, &'static str)]) -> Self {
        let listener = UnixListener::bind(self.socket()).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                let reply = replies.iter().find(|(asked, _)| line.contains(asked)).map_or("", |(_, reply)| reply);
                writeln!(stream, "{reply}").unwrap();
            }
        });
        let socket = self.socket().display().to_string();
        self.with("SEAWORTHY_CONTROL", socket)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command.args(arguments.split_whitespace()).current_dir(self.directory.path()).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// An ops listener that gives every probe the same answer.
fn ops(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

const ALIVE: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n{\"status\":\"alive\"}";
const NOT_READY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
                         content-length: 22\r\n\r\n{\"status\":\"not_ready\"}";

#[test]
fn status_is_json_for_a_pipe_and_a_table_for_who_asks_for_one() {
    let machine = machine().with_process(&[(
        "status",
        r#"{"reply":"status","service":"api","state":"ready","ready":true,"health":"healthy","in_flight":3,"later":1}"#,
    )]);
    let json = machine.run("status");
    let status: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &status["state"], &status["in_flight"]), (0, &"ready".into(), &3.into()));
    let table = machine.run("status --format text");
    assert!(table.out.contains("\nstate        ready, healthy\n"), "{}", table.out);
    assert!(!table.out.contains('\x1b'), "no colours in a pipe");
}

#[test]
fn what_was_done_is_said_unless_nobody_wants_to_hear_it() {
    let machine = machine().with_process(&[
        ("drain", r#"{"reply":"done","message":"the drain has begun"}"#),
        ("\"for\":\"10m\"", r#"{"reply":"done","message":"log level is debug for 10m"}"#),
    ]);
    let drain = machine.run("drain");
    assert_eq!((drain.code, drain.out.as_str(), drain.err.as_str()), (0, "the drain has begun\n", ""));
    let quiet = machine.run("drain --quiet");
    assert_eq!((quiet.code, quiet.out.as_str(), quiet.err.as_str()), (0, "", ""));
    assert_eq!(machine.run("loglevel debug --for 10m").out, "log level is debug for 10m\n");
}

#[test]
fn a_refusal_is_an_error_with_its_reason() {
    let machine = machine().with_process(&[("resume", r#"{"reply":"refused","message":"it is not paused"}"#)]);
    let ran = machine.run("resume --quiet");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (1, "", "error: it is not paused\n"));
    let muddled = machine.run("status");
    assert_eq!(muddled.code, 1);
    assert!(muddled.err.contains("are both ends of the same version?"), "{}", muddled.err);
}

#[test]
fn a_process_that_is_not_there_is_said_with_what_to_do() {
    let nowhere = machine();
    let ran = nowhere.run("status");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("--control"), "{}", ran.err);
    let absent = nowhere.run("drain --control /nonexistent/control.sock");
    assert_eq!(absent.code, 1);
    assert!(absent.err.contains("nothing is at /nonexistent/control.sock"), "{}", absent.err);
    let dead = machine();
    drop(UnixListener::bind(dead.socket()).unwrap());
    let ran = dead.run("pause --control control.sock");
    assert!(ran.err.contains("nobody listens on control.sock"), "{}", ran.err);
}

#[test]
fn a_reload_shows_what_changed_or_everything_that_is_wrong() {
    let changed = r#"{"key":"drain.delay","old":"1s","new":"2s","needs_restart":false}"#;
    let reloaded = format!(r#"{{"reply":"reloaded","changed":[{changed}]}}"#);
    let good = machine().with_process(Box::leak(Box::new([("reload", &*reloaded.leak())])));
    assert_eq!(good.run("reload --format text").out, "drain.delay  \"1s\" → \"2s\"\n");
    assert_eq!(good.run("reload").out, format!("{{\"changed\":[{changed}]}}\n"));
    let bad = machine().with_process(&[("reload", r#"{"reply":"invalid","problems":["a is wrong","b is too"]}"#)]);
    let ran = bad.run("reload --format text");
    assert_eq!(ran.code, 64);
    let said = "error: the new config has 2 problems; the old one stays in force\na is wrong\nb is too\n";
    assert_eq!(ran.err, said);
}

#[test]
fn a_probe_ends_with_0_or_1_and_says_one_line() {
    let machine = machine().with("SEAWORTHY_ADMIN", ops(ALIVE).to_string());
    let alive = machine.run("probe");
    assert_eq!((alive.code, alive.out.as_str()), (0, "live: alive (200)\n"), "{}", alive.err);
    let not_ready = machine.run(&format!("probe ready --admin {}", ops(NOT_READY)));
    assert_eq!((not_ready.code, not_ready.out.as_str()), (1, "ready: not_ready (503)\n"));
    let url = machine.run(&format!("probe http://{}/anything", ops(NOT_READY)));
    assert!(url.code == 1 && url.out.ends_with("(503)\n"), "{url:?}");
}

#[test]
fn a_probe_that_reaches_nobody_says_where_it_looked() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = machine().run(&format!("probe --admin {closed}"));
    assert_eq!((ran.code, ran.err), (1, format!("error: live at {closed}: nobody listens there\n")));
    let off = machine().with("SEAWORTHY_ADMIN", "off").run("probe");
    assert!(off.code == 1 && off.err.contains("name a URL"), "{off:?}");
}

#[test]
fn an_ops_listener_on_a_picked_port_is_found_through_the_control_socket() {
    let reply = format!(r#"{{"reply":"status","admin":"{}"}}"#, ops(ALIVE));
    let machine = machine().with_process(Box::leak(Box::new([("status", &*reply.leak())])));
    let ran = machine.with("SEAWORTHY_ADMIN", "127.0.0.1:0").run("probe live");
    assert_eq!((ran.code, ran.out.as_str()), (0, "live: alive (200)\n"), "{}", ran.err);
}

#[test]
fn config_check_says_everything_that_is_wrong_and_ends_with_64() {
    let wrong = machine().with_file("drain.delay = 5\nlisten = \"nowhere\"\n").run("config check");
    assert_eq!((wrong.code, wrong.out.as_str()), (64, ""));
    assert!(wrong.err.contains("seaworthy.toml:1") && wrong.err.contains("seaworthy.toml:2"), "{}", wrong.err);
    let right = machine().with_file("service = \"api\"\n").run("config check");
    assert_eq!((right.code, right.out.as_str()), (0, "seaworthy.toml is valid\n"), "{}", right.err);
    let missing = machine().run("config check --config elsewhere.toml");
    assert!(missing.code == 64 && missing.err.contains("elsewhere.toml"), "{missing:?}");
}

#[test]
fn config_show_masks_secrets_and_names_origins() {
    let text = "[app]\nenv.PASSWORD = { env = \"FROM\" }\n";
    let machine = machine().with_file(text).with("FROM", "hunter2").with("SEAWORTHY_DRAIN__DELAY", "1s");
    for form in ["text", "json"] {
        let ran = machine.run(&format!("config show --format {form}"));
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("***") && ran.out.contains("env SEAWORTHY_DRAIN__DELAY"), "{}", ran.out);
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"));
    }
}

#[test]
fn the_sample_it_prints_is_a_file_it_takes() {
    let sample = machine().run("config sample").out;
    assert_eq!(machine().with_file(&sample).run("config check --quiet").code, 0);
    let schema: serde_json::Value = serde_json::from_str(&machine().run("config schema").out).unwrap();
    assert_eq!(schema["title"], "seaworthy.toml");
}

#[test]
fn whoever_closes_the_pipe_early_has_read_enough() {
    let mut child = machine().command("config schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = machine().run(&format!("completions {shell}"));
        assert!(ran.code == 0 && ran.out.contains("loglevel"), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_an_error_on_stderr() {
    for line in ["", "rum", "run node", "probe https://127.0.0.1/"] {
        let ran = machine().run(line);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(!ran.err.is_empty(), "{line}");
    }
    let version = machine().run("--version");
    assert_eq!((version.code, version.out), (0, format!("seaworthy {}\n", env!("CARGO_PKG_VERSION"))));
}
