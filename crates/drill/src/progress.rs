//! The line that says how far it is.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::finding::Finding;

/// Written to stderr, so that a report on stdout stays clean. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// A terminal gets one line that is written over; anything else a line for each rehearsal.
    terminal: bool,
    quiet: bool,
    expected: usize,
    done: usize,
    running: Vec<&'static str>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self(Arc::new(Mutex::new(State { terminal, quiet, expected: 0, done: 0, running: Vec::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn expect(&self, count: usize) {
        self.state().expected = count;
    }

    pub(crate) fn begin(&self, name: &'static str) {
        let mut state = self.state();
        state.running.push(name);
        state.draw();
    }

    /// Ends what counts for no rehearsal.
    pub(crate) fn over(&self, name: &'static str) {
        self.state().running.retain(|running| *running != name);
    }

    pub(crate) fn done(&self, name: &'static str, took: Duration, findings: &[Finding]) {
        let mut state = self.state();
        state.done += 1;
        state.running.retain(|running| *running != name);
        let broken = findings.iter().filter(|finding| finding.is_broken()).count();
        if !state.quiet && !state.terminal {
            let (done, expected) = (state.done, state.expected);
            let broken = if broken == 0 { String::new() } else { format!(", {broken} broken") };
            let _ = writeln!(std::io::stderr(), "[{done}/{expected}] {name}: {:.1} s{broken}", took.as_secs_f64());
        }
        state.draw();
    }

    /// Leaves the line empty for the report.
    pub(crate) fn finish(&self) {
        let state = self.state();
        if state.terminal && !state.quiet {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl State {
    fn draw(&self) {
        if self.terminal && !self.quiet {
            let running = self.running.join(", ");
            let line: String = format!("[{}/{}] {running}", self.done, self.expected).chars().take(100).collect();
            let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
            let _ = std::io::stderr().flush();
        }
    }
}
