use std::io::{BufRead, BufReader, PipeReader, Read};
use std::sync::Barrier;

use seaworthy_core::event::RequestFinished;
use serde_json::Value;

use super::*;
use crate::access::Observer;

fn start(level: Level) -> (Logger, BufReader<PipeReader>) {
    let (reader, writer) = io::pipe().unwrap();
    let output = File::from(OwnedFd::from(writer));
    let logger = Logger::builder("shop").version("1.2.3").level(level).format(Format::Json).output(output);
    (logger.start().unwrap(), BufReader::new(reader))
}

pub(super) fn request() -> RequestFinished<'static> {
    RequestFinished {
        request_id: "0192-id",
        path: "/orders/7",
        query: Some("api_key=hunter2"),
        bytes_out: 100,
        ended: SystemTime::now(),
        duration: Duration::from_micros(1234),
        first_byte: Duration::from_micros(1100),
        ..RequestFinished::default()
    }
}

/// What was written, all of it: the log ends with its last clone.
fn all(logger: Logger, mut reader: BufReader<PipeReader>) -> Vec<Value> {
    drop(logger);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn requests_of_all_threads_leave_their_lines_and_none_is_lost_at_the_end() {
    let (logger, reader) = start(Level::Info);
    let observer = logger.observer().unwrap();
    let together = Barrier::new(4);
    let reading = std::thread::spawn(move || reader.lines().map_while(Result::ok).count());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                together.wait();
                for _ in 0..1000 {
                    observer.finished(&request());
                }
            });
        }
    });
    observer.finished(&request());
    let dropped = usize::try_from(logger.dropped()).unwrap();
    drop(logger);
    assert_eq!(reading.join().unwrap() + dropped, 4001);
}

#[test]
fn a_line_is_written_soon_though_nobody_asks_for_it() {
    let (logger, mut reader) = start(Level::Info);
    let observer = logger.observer().unwrap();
    for _ in 0..3 {
        observer.finished(&request());
        let mut line = String::new();
        // Blocks until it comes, again and again: the collector falls asleep in between.
        reader.read_line(&mut line).unwrap();
        assert!(line.contains("\"path\":\"/orders/7\"") && !line.contains("hunter2"), "{line}");
    }
    drop(logger);
}

#[test]
fn observers_follow_what_is_changed() {
    let (logger, reader) = start(Level::Info);
    let observer = logger.observer().unwrap();
    observer.finished(&request());
    logger.configure(Level::Info, Settings { query: true, ..Settings::default() });
    assert!(logger.flush(Instant::now() + Duration::from_secs(20)));
    observer.finished(&request());
    let lines = all(logger, reader);
    assert_eq!(lines.iter().map(|line| &line["query"]).collect::<Vec<_>>(), [&Value::Null, &"api_key=***".into()]);
}

#[test]
fn an_observer_outlives_its_log_without_harm() {
    let (logger, reader) = start(Level::Info);
    let observer = logger.observer().unwrap();
    observer.finished(&request());
    assert_eq!(all(logger, reader).len(), 1);
    observer.finished(&request());
}
