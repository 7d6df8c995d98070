//! What an instance wrote, by line.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// So many bytes of the newest lines are kept: a program may flood its log.
const KEPT: usize = 8 * 1024 * 1024;

/// A line is cut here.
const LINE: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) stream: Stream,
    pub(crate) text: String,
}

/// Lines of one instance. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    resumed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Lines ever read, kept or not.
    total: usize,
    paused: bool,
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads `pipe` to its end on a thread of its own.
    pub(crate) fn read(&self, stream: Stream, pipe: impl Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            loop {
                log.wait_while_paused();
                line.clear();
                match Read::by_ref(&mut pipe).take(LINE).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => log.add(stream, &line),
                }
            }
        });
    }

    fn wait_while_paused(&self) {
        let mut state = self.state();
        while state.paused {
            state = self.0.resumed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(&self, stream: Stream, line: &[u8]) {
        let text = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
        let mut state = self.state();
        state.bytes += text.len();
        state.total += 1;
        state.lines.push_back(Line { stream, text });
        while state.bytes > KEPT
            && let Some(oldest) = state.lines.pop_front()
        {
            state.bytes -= oldest.text.len();
        }
    }

    /// Stops reading: the pipe fills, as behind a stalled log collector.
    pub(crate) fn pause(&self) {
        self.state().paused = true;
    }

    pub(crate) fn resume(&self) {
        self.state().paused = false;
        self.0.resumed.notify_all();
    }

    /// Lines ever read.
    pub(crate) fn total(&self) -> usize {
        self.state().total
    }

    /// The lines that are kept, oldest first, without the first `skip` ever read.
    pub(crate) fn lines_after(&self, skip: usize) -> Vec<Line> {
        let state = self.state();
        let gone = state.total - state.lines.len();
        state.lines.iter().skip(skip.saturating_sub(gone)).cloned().collect()
    }

    pub(crate) fn tail(&self, count: usize) -> Vec<String> {
        let state = self.state();
        let skip = state.lines.len().saturating_sub(count);
        state.lines.iter().skip(skip).map(|line| line.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_kept_to_its_newest_lines_and_counted() {
        let log = Log::default();
        let line = vec![b'x'; 60_000];
        for _ in 0..200 {
            log.add(Stream::Stdout, &line);
        }
        assert_eq!(log.total(), 200);
        let kept = log.lines_after(0).len();
        assert!(kept < 150 && kept > 100, "{kept}");
        assert_eq!(log.lines_after(199).len(), 1);
        assert_eq!(log.tail(3).len(), 3);
    }
}
