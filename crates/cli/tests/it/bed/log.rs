//! What a process writes, as it comes.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::PATIENCE;

#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

/// The lines so far. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Written>, Condvar)>);

impl Log {
    /// Collects the lines of `source` until its end.
    pub(crate) fn of(source: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let shared = log.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(source).split(b'\n');
            while let Some(Ok(line)) = lines.next() {
                shared.change(|written| written.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            shared.change(|written| written.ended = true);
        });
        log
    }

    fn change(&self, how: impl FnOnce(&mut Written)) {
        let (written, changed) = &*self.0;
        how(&mut written.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// Waits until `find` finds something in the lines.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, mut find: impl FnMut(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let (written, changed) = &*self.0;
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = find(&written.lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !written.ended,
                "waited in vain until {what}; written was:\n{}",
                written.lines.join("\n")
            );
            written = changed.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a line of JSON that `is` it.
    #[track_caller]
    pub(crate) fn line(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |lines| lines.iter().filter_map(|line| serde_json::from_str(line).ok()).find(|line| is(line)))
    }

    /// Waits for the fact called `name`.
    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> Value {
        self.line(&format!("the event {name}"), |line| line["event"] == name)
    }

    /// Waits for the end of it, and returns all of it.
    #[track_caller]
    pub(crate) fn all(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        let (written, changed) = &*self.0;
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        while !written.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the output has no end; so far:\n{}", written.lines.join("\n"));
            written = changed.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        written.lines.join("\n")
    }

    /// What is there now.
    pub(crate) fn so_far(&self) -> String {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }
}
