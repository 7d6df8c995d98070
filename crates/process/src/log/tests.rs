use std::fs::File;
use std::io::{BufReader, PipeReader, Read};
use std::os::fd::OwnedFd;

use seaworthy::core::event::{RequestFinished, Stream, UpstreamFacts};
use seaworthy::core::refusal::Reason;
use seaworthy::core::trace::TraceId;
use seaworthy::log::{Frame, Style};
use serde_json::Value;

use super::*;
use crate::config::{Level as ConfiguredLevel, LogFormat};
use crate::supervise::Source;

const SOON: Duration = Duration::from_secs(20);

fn settings() -> Log {
    Log {
        level: ConfiguredLevel::Info,
        format: LogFormat::Json,
        access: true,
        query: true,
        on_full: OnFull::Drop,
        redact: vec!["ssn".to_owned()],
    }
}

fn start(log: Log) -> (Logger, BufReader<PipeReader>) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let output = File::from(OwnedFd::from(writer));
    let (service, version) = ("shop".to_owned(), Some("1.2.3".to_owned()));
    let logger = Logger::start(LogSetup { service, version, log, colour: false, output }).expect("a thread");
    (logger, BufReader::new(reader))
}

/// What was written, all of it: the log ends with its last clone.
fn all(logger: Logger, mut reader: BufReader<PipeReader>) -> Vec<String> {
    drop(logger);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines().map(str::to_owned).collect()
}

fn output(bytes: &[u8]) -> OutputLine<'_> {
    OutputLine { source: Source::App, stream: Stream::Stdout, pid: 7, bytes, continued: false, unfinished: false }
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

pub(crate) fn request<'a>() -> RequestFinished<'a> {
    RequestFinished {
        request_id: "0192-id",
        trace_id: TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e4736"),
        path: "/orders/7",
        query: Some("page=2&api_key=hunter2&ssn=1"),
        route: Some("/orders/{id}"),
        client: Some("203.0.113.9".parse().expect("an address")),
        user_agent: Some(b"curl/8.0 \"x\"\xff"),
        bytes_in: 3,
        bytes_out: 100,
        ended: SystemTime::now(),
        duration: Duration::from_micros(1234),
        first_byte: Duration::from_micros(1100),
        upstream: Some(UpstreamFacts { address: "127.0.0.1:3000", time: Duration::from_micros(900), attempts: 1 }),
        ..RequestFinished::default()
    }
}

#[test]
fn a_request_leaves_one_line_with_everything_that_is_known_of_it_and_no_secret() {
    let (logger, reader) = start(settings());
    let mut worker = logger.worker();
    worker.access(&request());
    drop(worker);
    let lines = all(logger, reader);
    assert_eq!(lines.len(), 1);
    let time = object(&lines[0])["time"].as_str().expect("text").to_owned();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(
        lines[0].replace(&time, "T"),
        concat!(
            r#"{"time":"T","level":"info","message":"request completed","service":"shop","version":"1.2.3","#,
            r#""request_id":"0192-id","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","method":"GET","#,
            r#""route":"/orders/{id}","path":"/orders/7","query":"page=2&api_key=***&ssn=***","status":200,"#,
            r#""bytes_in":3,"bytes_out":100,"duration":0.001234,"first_byte":0.001100,"upstream":"127.0.0.1:3000","#,
            r#""upstream_time":0.000900,"attempts":1,"client":"203.0.113.9","user_agent":"curl/8.0 \"x\"�","#,
            r#""protocol":"HTTP/1.1"}"#
        )
    );
}

#[test]
fn a_refused_an_aborted_and_a_failed_request_say_so() {
    let (logger, reader) = start(settings());
    let mut worker = logger.worker();
    worker.access(&RequestFinished { status: 503, refusal: Some(Reason::Overloaded), ..request() });
    worker.access(&RequestFinished { status: 499, aborted: true, ..request() });
    drop(worker);
    let lines: Vec<Value> = all(logger, reader).iter().map(|line| object(line)).collect();
    assert_eq!((&lines[0]["level"], &lines[0]["refusal"]), (&"error".into(), &"overloaded".into()));
    assert_eq!((&lines[1]["message"], &lines[1]["aborted"]), (&"request aborted".into(), &true.into()));
}

#[test]
fn probes_and_scrapes_leave_a_line_only_when_they_fail() {
    let (logger, reader) = start(settings());
    let mut worker = logger.worker();
    worker.access(&RequestFinished { quiet: true, ..request() });
    worker.access(&RequestFinished { quiet: true, status: 503, ..request() });
    drop(worker);
    let lines = all(logger, reader);
    assert_eq!(lines.len(), 1);
    assert_eq!(object(&lines[0])["status"], 503);
}

#[test]
fn a_pretty_line_says_what_one_looks_for() {
    let (logger, reader) = start(Log { format: LogFormat::Pretty, ..settings() });
    let mut worker = logger.worker();
    worker.access(&request());
    worker.access(&RequestFinished {
        path: "/x\u{1b}[2J",
        query: None,
        status: 504,
        refusal: Some(Reason::UpstreamTimeout),
        ..request()
    });
    drop(worker);
    logger.emit(&Event::ClientError {
        client: "1.2.3.4".to_owned(),
        problem: "it is malformed".to_owned(),
        status: 400,
    });
    logger.line(output(b"\x1b[31mred\x1b[0m \x1b[2J"));
    logger.line(OutputLine { source: Source::Command("migrate"), ..output(b"done") });
    let lines = all(logger, reader);
    let said: Vec<&str> = lines.iter().map(|line| &line["00:00:00.000 ".len()..]).collect();
    assert_eq!(
        said,
        [
            "INFO  GET /orders/7?page=2&api_key=***&ssn=*** 200 1.2ms",
            r"ERROR GET /x\u001b[2J 504 1.2ms refused=upstream_timeout request_id=0192-id",
            "WARN  it is malformed client=1.2.3.4 status=400",
            r"APP   red \u001b[2J",
            "APP   migrate done",
        ]
    );
}

#[test]
fn what_a_reload_changes_holds_from_the_next_request_on() {
    let (logger, reader) = start(settings());
    let mut worker = logger.worker();
    logger.configure(&Log { query: false, ..settings() });
    worker.reload();
    worker.access(&request());
    logger.configure(&Log { access: false, ..settings() });
    worker.tick();
    worker.access(&request());
    logger.configure(&Log { level: ConfiguredLevel::Error, ..settings() });
    worker.tick();
    worker.access(&request());
    worker.access(&RequestFinished { status: 500, ..request() });
    drop(worker);
    let lines: Vec<Value> = all(logger, reader).iter().map(|line| object(line)).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((lines[0].get("query"), &lines[1]["status"]), (None, &500.into()));
}

#[test]
fn a_level_is_changed_while_running() {
    let (logger, reader) = start(settings());
    let reaped = Event::OrphanReaped { pid: 3 };
    logger.emit(&reaped);
    logger.set_level(Level::Debug, Some(Duration::from_hours(1)));
    logger.emit(&reaped);
    logger.set_level(Level::Info, None);
    logger.emit(&reaped);
    assert_eq!(all(logger, reader).len(), 1);
}

#[test]
fn an_error_is_an_object_and_its_secrets_are_not_shown() {
    let (logger, reader) = start(settings());
    let reason = "cannot reach postgres://app:hunter2@db/x".to_owned();
    logger.emit(&Event::CommandFailed { what: "migrate".to_owned(), reason });
    logger.emit(&Event::Panicked {
        message: "oh\nno".to_owned(),
        place: "main.rs:1".to_owned(),
        request_id: String::new(),
    });
    let lines = all(logger, reader);
    assert!(!lines[0].contains("hunter2"), "{}", lines[0]);
    assert_eq!(object(&lines[0])["error"]["type"], "command_failed");
    assert_eq!(object(&lines[1])["error"]["stack"], "main.rs:1");
    assert_eq!(object(&lines[1])["message"], "panic: oh\nno");
}

#[test]
fn no_name_stands_twice_in_the_line_of_an_error() {
    let (logger, reader) = start(settings());
    let (check, error) = ("db".to_owned(), "refused".to_owned());
    let (kind, affects, class) = ("postgres", "ready", "refused");
    logger.emit(&Event::CheckFailed { check, kind, affects, class, error, because_of: String::new() });
    let lines = all(logger, reader);
    assert_eq!(lines[0].matches("\"error\":").count(), 1, "{}", lines[0]);
    assert_eq!(object(&lines[0])["error"]["message"], "check db fails: refused");
}

#[test]
fn lines_of_the_program_keep_what_they_say_and_gain_whose_they_are() {
    let (logger, reader) = start(settings());
    let say = |bytes: &[u8]| logger.line(OutputLine { stream: Stream::Stderr, ..output(bytes) });
    say(br#"{"level":30,"time":1,"msg":"hi","pid":99,"service":"own", "n": 12345678901234567890123 }"#);
    say(br#" {"msg":"no time"}"#);
    say(b"plain \x1b[31mred\r");
    say(br#"{"msg":"half"#);
    say(b"{}");
    say(b"{\"msg\":\"\xff\"}");
    logger.line(OutputLine { source: Source::Command("migrate"), unfinished: true, ..output(br#"{"a":1}"#) });
    let lines = all(logger, reader);
    assert_eq!(
        lines[0],
        r#"{"level":30,"time":1,"msg":"hi","pid":99,"service":"own", "n": 12345678901234567890123 ,"version":"1.2.3","stream":"stderr"}"#
    );
    let objects: Vec<Value> = lines.iter().map(|line| object(line)).collect();
    assert!(objects[1]["time"].is_string(), "{}", lines[1]);
    assert_eq!(objects[2]["message"], "plain \u{1b}[31mred\r");
    assert_eq!((&objects[3]["message"], &objects[3]["pid"]), (&r#"{"msg":"half"#.into(), &7.into()));
    assert_eq!(objects[4]["message"], "{}");
    assert_eq!(objects[5]["message"], "{\"msg\":\"\u{fffd}\"}");
    assert_eq!(objects[6]["message"], r#"{"a":1}"#, "a piece that looks whole is none");
    assert_eq!((&objects[6]["command"], &objects[6]["unfinished"]), (&"migrate".into(), &true.into()));
}

#[test]
fn stdout_that_takes_nothing_delays_nobody_and_every_lost_line_is_counted() {
    let (logger, reader) = start(settings());
    let mut worker = logger.worker();
    let mut written = 0_u64;
    // Nobody reads: far more than ring and pipe can hold.
    while logger.dropped() == 0 {
        worker.access(&request());
        written += 1;
        assert!(written < 1_000_000, "nothing was dropped");
    }
    for _ in 0..1000 {
        worker.access(&request());
        written += 1;
    }
    worker.tick();
    assert!(!logger.flush(Instant::now()), "nothing can have been flushed");
    let dropped = logger.dropped();
    drop(worker);
    let lines: Vec<Value> = all(logger, reader).iter().map(|line| object(line)).collect();
    let (reports, arrived): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["event"] == "log_lines_dropped");
    let reported: u64 = reports.iter().filter_map(|report| report["lines"].as_u64()).sum();
    assert_eq!((arrived.len() as u64, reported), (written - dropped, dropped));
}

#[test]
fn a_closed_stdout_ends_nothing() {
    let (logger, reader) = start(settings());
    drop(reader);
    for _ in 0..3 {
        logger.emit(&Event::CleaningUp);
        assert!(logger.flush(Instant::now() + SOON));
    }
    // The report of the loss could not be written either, and counts for nothing.
    assert_eq!(logger.dropped(), 3);
}

#[tokio::test]
async fn a_program_waits_for_room_only_where_it_was_asked_to() {
    for on_full in [OnFull::Drop, OnFull::Block] {
        let (logger, reader) = start(Log { on_full, ..settings() });
        let text = vec![b'x'; 60_000];
        let mut said = 0;
        let waits = loop {
            let waits = tokio::time::timeout(Duration::ZERO, logger.room()).await.is_err();
            if waits || logger.dropped() > 0 {
                break waits;
            }
            logger.line(output(&text));
            said += 1;
        };
        assert_eq!(waits, on_full == OnFull::Block);
        let reading = std::thread::spawn(move || all_of(reader));
        tokio::time::timeout(SOON, logger.room()).await.expect("room, once somebody reads");
        drop(logger);
        let lines = reading.join().expect("no panic");
        if on_full == OnFull::Block {
            assert_eq!(lines, said, "nothing is lost");
        }
    }
}

fn all_of(mut reader: BufReader<PipeReader>) -> usize {
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("UTF-8");
    text.lines().count()
}

#[test]
fn a_fact_reaches_every_sink() {
    let (first, first_reader) = start(settings());
    let (second, second_reader) = start(settings());
    let fanout = Fanout::new([Arc::new(first.clone()) as Arc<dyn Sink>, Arc::new(second.clone())]);
    fanout.emit(&Event::CleaningUp);
    drop(fanout);
    assert_eq!((all(first, first_reader).len(), all(second, second_reader).len()), (1, 1));
}

#[test]
fn fuzz_whatever_the_program_writes_is_one_line_of_json_with_each_name_once() {
    let (frame, style) = (Frame::new("shop", Some("1.2.3")), Style::new(true));
    let time = b"1970-01-01T00:00:00.000Z";
    seaworthy_fuzz::drive("program-line", |bytes| {
        let bytes = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut line = Vec::new();
        output::json(&mut line, &frame, time, &output(bytes));
        let line = String::from_utf8(line).expect("UTF-8");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        // A number of a thousand digits is JSON, though few can use it: it is passed on as it came.
        let judged = serde_json::from_str::<serde::de::IgnoredAny>(&line);
        judged.unwrap_or_else(|error| panic!("{error}: {line}"));
        for ours in ["service", "stream", "pid"] {
            assert!(line.contains(ours), "{ours} is not in {line}");
        }
        let mut line = Vec::new();
        output::pretty(&mut line, style, time, &output(bytes));
        // Of what moves a cursor only colours pass.
        let text = String::from_utf8_lossy(&line).into_owned();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        for sequence in text.split("\x1b[").skip(1) {
            let end = sequence.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':');
            assert!(end.starts_with('m'), "{text:?}");
        }
    });
}
