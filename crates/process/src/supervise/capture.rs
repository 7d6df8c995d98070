//! Reads what children write, for as long as anybody may write it.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seaworthy_core::event::Stream;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::lines::{LONGEST, Lines, OutputLine, Piece, Source, Splitter, Tail};

/// How long output is read after its child has ended: a grandchild may hold the pipe for ever.
const AFTER_THE_END: Duration = Duration::from_secs(1);

/// Where the reader begins; a program that writes more at once gets a larger buffer.
const SMALLEST: usize = 4 * 1024;

/// The output of one child.
#[derive(Debug, Default)]
pub(super) struct Capture {
    readers: JoinSet<()>,
    tail: Arc<Mutex<Tail>>,
}

/// What a line is marked with.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    /// `None` for the program itself.
    pub(super) command: Option<Arc<str>>,
    pub(super) pid: u32,
}

impl Capture {
    /// Reads both pipes in tasks of their own, which end with this value.
    pub(super) fn start(
        (stdout, stderr): (PipeReader, PipeReader),
        writer: &Writer,
        lines: &Arc<dyn Lines>,
    ) -> io::Result<Self> {
        let mut capture = Self::default();
        for (stream, pipe) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            let reader = Reader {
                pipe: Receiver::from_owned_fd(OwnedFd::from(pipe))?,
                stream,
                writer: writer.clone(),
                lines: lines.clone(),
                tail: capture.tail.clone(),
            };
            capture.readers.spawn(reader.run());
        }
        Ok(capture)
    }

    /// Reads on until both pipes have ended, but not for long; gives back the last lines.
    pub(super) async fn finish(mut self) -> Vec<String> {
        let all = async { while self.readers.join_next().await.is_some() {} };
        // Who still writes after that gets a broken pipe.
        let _ = timeout(AFTER_THE_END, all).await;
        self.tail()
    }

    /// The last lines so far.
    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).lines()
    }
}

struct Reader {
    pipe: Receiver,
    stream: Stream,
    writer: Writer,
    lines: Arc<dyn Lines>,
    tail: Arc<Mutex<Tail>>,
}

impl Reader {
    async fn run(mut self) {
        let mut splitter = Splitter::default();
        let mut buffer = vec![0; SMALLEST];
        loop {
            self.lines.room().await;
            // An error ends the stream as its end does: there is nothing more to be had from it.
            let read = self.pipe.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                break;
            }
            splitter.push(&buffer[..read], |piece| self.hand_on(piece));
            if read == buffer.len() && read < LONGEST {
                buffer.resize(read * 4, 0);
            }
        }
        splitter.finish(|piece| self.hand_on(piece));
    }

    fn hand_on(&self, Piece { bytes, continued, unfinished }: Piece<'_>) {
        if !continued {
            self.tail.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        }
        let source = self.writer.command.as_deref().map_or(Source::App, Source::Command);
        let Self { stream, writer: Writer { pid, .. }, .. } = *self;
        self.lines.line(OutputLine { source, stream, pid, bytes, continued, unfinished });
    }
}
