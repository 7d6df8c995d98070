//! The drill against small services with named defects, and against their clean twin.
//!
//! The services are this test program itself, started again: nothing but cargo is needed.

mod member;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A service under test, when the drill starts this program again; otherwise it does nothing.
#[test]
fn member() {
    if let Ok(defect) = std::env::var("MEMBER") {
        member::serve(&defect);
    }
}

/// The drill, when a test starts this program again; otherwise it does nothing.
#[test]
fn drill() {
    if let Ok(arguments) = std::env::var("DRILL_ARGUMENTS") {
        let arguments: Vec<String> = serde_json::from_str(&arguments).expect("a list");
        let ending = seaworthy_drill::main(arguments.into_iter().map(Into::into));
        // `ExitCode` cannot be looked into; its own report can.
        std::process::exit(i32::from(ending != std::process::ExitCode::SUCCESS));
    }
}

struct Drilled {
    report: Value,
    stderr: String,
    passed: bool,
}

impl Drilled {
    fn finding(&self, id: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap_or_else(|| panic!("no report: {}", self.stderr));
        findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("{id} is not in {findings:#?}"))
    }

    fn verdict(&self, id: &str) -> &str {
        self.finding(id)["verdict"].as_str().unwrap_or_default()
    }

    fn failed(&self) -> Vec<String> {
        let findings = self.report["findings"].as_array().unwrap_or_else(|| panic!("no report: {}", self.stderr));
        let failed = findings.iter().filter(|finding| matches!(finding["verdict"].as_str(), Some("fail" | "error")));
        failed
            .map(|finding| {
                format!("{} {}: {} {}", finding["verdict"], finding["id"], finding["seen"], finding["evidence"])
            })
            .collect()
    }
}

fn own() -> String {
    std::env::current_exe().expect("a program").display().to_string()
}

fn report_path() -> PathBuf {
    let name = format!("drill-test-{}-{:?}.json", std::process::id(), std::thread::current().id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace(['(', ')'], ""))
}

fn start(arguments: &[&str]) -> Child {
    Command::new(own())
        .args(["drill", "--exact", "--nocapture"])
        .env("DRILL_ARGUMENTS", serde_json::to_string(arguments).expect("strings"))
        .env_remove("MEMBER")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the drill starts")
}

/// Processes that have this variable in their environment.
fn marked(variable: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let marked = processes.filter(|process| {
        let environ = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|own| own == variable.as_bytes())
    });
    marked.count()
}

/// A drill with little patience over `command`.
fn drill_over(options: &[&str], command: &[&str]) -> Drilled {
    let report = report_path();
    let _ = std::fs::remove_file(&report);
    let fixed = [
        "--level",
        "may",
        "--format",
        "json",
        "--quiet",
        "--grace",
        "4s",
        "--lag",
        "400ms",
        "--parallel",
        "8",
        "--start-timeout",
        "20s",
    ];
    let mut arguments: Vec<&str> = fixed.to_vec();
    let path = report.display().to_string();
    arguments.extend(["--report", &path]);
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(command);
    let mut child = start(&arguments);
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
    let passed = child.wait().expect("it ends").success();
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let _ = std::fs::remove_file(&report);
    let report = serde_json::from_str(&text).ok();
    Drilled { report: report.unwrap_or(Value::Null), stderr, passed }
}

fn drill_member(defect: &str, options: &[&str]) -> Drilled {
    let env = format!("--env=MEMBER={defect}");
    let mut all = vec![env.as_str()];
    all.extend(options);
    drill_over(&all, &[&own(), "member", "--exact", "--nocapture"])
}

/// The defect is found by each of the checks.
fn finds(defect: &str, ids: &[&str]) {
    let only: Vec<String> = ids.iter().map(|id| format!("--only={id}")).collect();
    let only: Vec<&str> = only.iter().map(String::as_str).collect();
    let drilled = drill_member(defect, &only);
    for id in ids {
        assert_eq!(drilled.verdict(id), "fail", "{defect}: {:#}", drilled.finding(id));
    }
}

#[test]
fn a_clean_service_breaks_no_promise_of_probes_and_drain() {
    let drilled = drill_member(
        "",
        &[
            "--only=drain",
            "--only=probes",
            "--skip=probes.live-under-load",
            "--skip=drain.rolling-restart-loses-nothing",
            "--reason=tried elsewhere",
            "--websocket-path=/websocket",
        ],
    );
    assert_eq!(drilled.failed(), Vec::<String>::new());
    assert!(drilled.passed, "{}", drilled.stderr);
    for id in [
        "drain.inflight-completes",
        "drain.upload-completes",
        "drain.h2-goaway",
        "drain.websocket-close-frame",
        "drain.ready-fails-first",
        "probes.live-answers",
    ] {
        assert_eq!(drilled.verdict(id), "pass", "{:#}", drilled.finding(id));
    }
    assert_eq!(drilled.verdict("probes.live-under-load"), "skipped");
    assert!(drilled.report["timeline"]["moments"].as_array().is_some_and(|moments| moments.len() >= 4));
}

#[test]
fn every_named_defect_is_found() {
    let defects: [(&str, &[&str]); 5] = [
        ("closes-listener", &["drain.new-connections-served-during-lag", "drain.ready-fails-first"]),
        ("exits-at-once", &["drain.inflight-completes", "drain.upload-completes"]),
        ("probes-swapped", &["drain.live-holds", "drain.ready-fails-first"]),
        ("no-farewell", &["drain.keepalive-told-to-close"]),
        ("exit-code", &["drain.exit-code-zero"]),
    ];
    // They wait more than they work: side by side, or the test takes half a minute.
    std::thread::scope(|scope| {
        let running = defects.map(|(defect, ids)| (defect, scope.spawn(move || finds(defect, ids))));
        for (defect, running) in running {
            assert!(running.join().is_ok(), "{defect} was not found");
        }
    });
}

#[test]
fn a_rolling_restart_of_a_clean_service_loses_nothing() {
    let drilled = drill_member("", &["--only=drain.rolling-restart-loses-nothing"]);
    assert_eq!(drilled.failed(), Vec::<String>::new());
}

#[test]
fn where_nothing_long_can_be_in_flight_it_is_not_proven_and_says_how() {
    let drilled = drill_member("no-slow-path", &["--only=drain.inflight-completes"]);
    assert_eq!(drilled.verdict("drain.inflight-completes"), "not-proven");
    assert!(drilled.finding("drain.inflight-completes")["seen"].as_str().unwrap().contains("--slow-path"));
}

#[test]
fn a_gateway_that_says_503_to_everything_at_first_hides_no_probe() {
    let drilled = drill_member("starts-behind-gateway", &["--only=probes.live-answers"]);
    assert_eq!(drilled.verdict("probes.live-answers"), "pass", "{:#}", drilled.finding("probes.live-answers"));
}

#[test]
fn a_waiver_turns_a_failure_into_one_that_is_known_until_its_day() {
    let config = report_path().with_extension("toml");
    let waiver = |number: usize, until: &str| {
        let config = config.with_extension(format!("{number}.toml"));
        let text =
            format!("[[waiver]]\ncheck = \"drain.exit-code-zero\"\nreason = \"ticket 7\"\nuntil = \"{until}\"\n");
        std::fs::write(&config, text).unwrap();
        let path = config.display().to_string();
        drill_member("exit-code", &["--only=drain.exit-code-zero", "--config", &path])
    };
    let (known, ended) = std::thread::scope(|scope| {
        let known = scope.spawn(|| waiver(1, "2999-12-31"));
        let ended = waiver(2, "2020-01-01");
        (known.join().unwrap(), ended)
    });
    assert_eq!(known.verdict("drain.exit-code-zero"), "waived");
    assert!(known.passed);
    assert_eq!(ended.verdict("drain.exit-code-zero"), "fail");
    assert!(!ended.passed);
}

#[test]
fn a_program_that_does_not_start_is_shown_with_its_last_lines() {
    let drilled = drill_over(&[], &["sh", "-c", "echo missing DATABASE_URL >&2; exit 3"]);
    assert!(!drilled.passed);
    assert!(
        drilled.stderr.contains("exit code 3") && drilled.stderr.contains("missing DATABASE_URL"),
        "{}",
        drilled.stderr
    );
}

#[test]
fn a_program_that_listens_elsewhere_is_told_by_the_number_of_its_port() {
    let drilled = drill_member("other-port", &["--start-timeout", "1s"]);
    assert!(!drilled.passed);
    assert!(drilled.stderr.contains("but on port ") && drilled.stderr.contains("--port"), "{}", drilled.stderr);
}

#[test]
fn nothing_of_a_program_that_refuses_to_die_is_left() {
    let mark = format!("drill-left-{}", std::process::id());
    let drilled = drill_member(
        "ignores-signal",
        &["--only=drain.exits-in-grace", "--grace=500ms", &format!("--env=LEFT={mark}")],
    );
    assert_eq!(drilled.verdict("drain.exits-in-grace"), "fail");
    assert_eq!(marked(&format!("LEFT={mark}")), 0);
}

#[test]
fn an_interrupted_drill_leaves_nothing_running() {
    let mark = format!("LEFT=drill-interrupted-{}", std::process::id());
    let env = format!("--env={mark}");
    let own = own();
    let command = ["--quiet", &env, "--env=MEMBER=", "--", &own, "member", "--exact", "--nocapture"];
    let mut drill = start(&command);
    let begun = Instant::now();
    while marked(&mark) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no instance was started");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&drill);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(!drill.wait().unwrap().success());
    assert_eq!(marked(&mark), 0);
}

#[test]
fn what_answers_a_handshake_by_an_alert_is_told_so() {
    let drilled = drill_member("tls", &[]);
    assert!(!drilled.passed);
    assert!(drilled.stderr.contains("does not speak TLS"), "{}", drilled.stderr);
}

/// A key, and a certificate for localhost that it has signed itself.
fn certificate() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| directory.path().join(name).display().to_string();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:shop.example"])
        .args(["-keyout", &file("key.pem"), "-out", &file("cert.pem")])
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl").success());
    directory
}

#[test]
fn a_service_that_speaks_tls_is_found_out_and_judged_by_it() {
    let directory = certificate();
    let env = format!("--env=TLS={}", directory.path().display());
    let authority = format!("--ca-file={}/cert.pem", directory.path().display());
    let only = ["--only=drain.h2-goaway", "--only=headers.hsts-under-tls", "--only=drain.inflight-completes"];
    std::thread::scope(|scope| {
        let trusted = scope.spawn(|| drill_member("https", &[&[env.as_str(), &authority], &only[..]].concat()));
        let named = scope.spawn(|| {
            let options = [env.as_str(), &authority, "--server-name=shop.example", "--only=probes.live-answers"];
            drill_member("https", &options)
        });
        let insecure = scope.spawn(|| drill_member("https", &[&env, "--insecure", "--only=probes.live-answers"]));
        let doubted = drill_member("https", &[&env]);
        assert!(doubted.stderr.contains("--ca-file") && doubted.stderr.contains("--insecure"), "{}", doubted.stderr);

        let trusted = trusted.join().unwrap();
        assert_eq!(trusted.verdict("drain.h2-goaway"), "pass", "{:#}", trusted.finding("drain.h2-goaway"));
        assert_eq!(trusted.verdict("drain.inflight-completes"), "pass");
        assert_eq!(trusted.verdict("headers.hsts-under-tls"), "fail");
        for drilled in [named.join().unwrap(), insecure.join().unwrap()] {
            assert_eq!(drilled.verdict("probes.live-answers"), "pass", "{}", drilled.stderr);
        }
    });
}

/// How many processes have this word among their arguments.
fn running_with(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let ours = processes.filter(|process| {
        let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|own| own == word.as_bytes())
    });
    ours.count()
}

#[test]
fn an_orphan_that_left_group_parent_and_environment_is_found_and_ended() {
    let seconds = format!("30{}", std::process::id());
    // The subshell is gone before anybody can look; nothing of what is left says whose it is.
    let script =
        format!("( env -i setsid sleep {seconds} >/dev/null 2>&1 & ); exec {} member --exact --nocapture", own());
    let drilled = drill_over(&["--env=MEMBER=", "--only=drain.no-orphans"], &["sh", "-c", &script]);
    assert_eq!(drilled.verdict("drain.no-orphans"), "fail", "{:#}", drilled.finding("drain.no-orphans"));
    let evidence = drilled.finding("drain.no-orphans")["evidence"].to_string();
    assert!(evidence.contains("sleep"), "{evidence}");
    assert_eq!(running_with(&seconds), 0);
}

/// A member that was started by somebody else, and its address.
fn stranger() -> (Child, String) {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let child = Command::new(own())
        .args(["member", "--exact", "--nocapture"])
        .envs([("MEMBER", String::new()), ("PORT", port.to_string())])
        .stdout(Stdio::null())
        .spawn()
        .expect("the member starts");
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the member does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    (child, format!("http://127.0.0.1:{port}"))
}

fn drill_running(url: &str, options: &[&str]) -> Drilled {
    let report = report_path();
    let path = report.display().to_string();
    let fixed =
        ["--quiet", "--format=json", "--level=may", "--grace=4s", "--lag=400ms", "--report", &path, "--url", url];
    let mut child = start(&[&fixed[..], options].concat());
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
    let passed = child.wait().expect("it ends").success();
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let _ = std::fs::remove_file(&report);
    Drilled { report: serde_json::from_str(&text).unwrap_or(Value::Null), stderr, passed }
}

#[test]
fn a_service_that_runs_is_stopped_by_its_pid_only_where_that_is_allowed() {
    let (mut child, url) = stranger();
    let pid = format!("--pid={}", child.id());
    let asked = drill_running(&url, &[&pid, "--only=drain.exits-in-grace", "--only=probes.live-answers"]);
    assert_eq!(asked.verdict("drain.exits-in-grace"), "skipped");
    assert_eq!(asked.verdict("probes.live-answers"), "pass");
    assert!(child.try_wait().expect("a child").is_none(), "it was not to be stopped");

    let only = ["--only=drain", "--only=probes.live-answers"];
    let stopped = drill_running(&url, &[&[pid.as_str(), "--destructive"], &only[..]].concat());
    assert_eq!(stopped.failed(), Vec::<String>::new());
    for id in ["drain.inflight-completes", "drain.ready-fails-first", "drain.exits-in-grace", "probes.live-answers"] {
        assert_eq!(stopped.verdict(id), "pass", "{:#}", stopped.finding(id));
    }
    assert_eq!(stopped.verdict("drain.exit-code-zero"), "not-proven");
    assert_eq!(stopped.verdict("drain.kill-then-restart"), "skipped");
    assert!(child.wait().expect("a child").success());
}

#[test]
fn a_process_that_is_not_the_service_is_not_signalled() {
    let (mut child, url) = stranger();
    let (mut other, _) = stranger();
    let pid = format!("--pid={}", other.id());
    let drilled = drill_running(&url, &[&pid, "--destructive", "--only=drain.exits-in-grace"]);
    assert_eq!(drilled.verdict("drain.exits-in-grace"), "error");
    let ours = [&mut child, &mut other];
    assert!(ours.into_iter().all(|child| child.try_wait().expect("a child").is_none()));
    child.kill().and_then(|()| other.kill()).expect("they run");
    let _ = (child.wait(), other.wait());
}
