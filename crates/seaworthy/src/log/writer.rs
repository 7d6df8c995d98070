//! The one thread that waits for stdout.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, writev};
use seaworthy_core::event::Event;
use seaworthy_core::redact::Redactor;

use super::encoder::Encoder;
use super::ring::{Chunk, Ring};

/// Chunks given to the kernel at once.
const BATCH: usize = 64;

/// Writes what waits in a [`Ring`].
#[derive(Debug)]
pub(super) struct Writer {
    ring: Arc<Ring>,
    output: OwnedFd,
    encoder: Encoder,
    /// How many lost lines the log has told of.
    reported: u64,
    /// An error left half a line behind, which must not run into the next one.
    mid_line: bool,
}

impl Writer {
    pub(super) fn new(ring: Arc<Ring>, output: OwnedFd, encoder: Encoder) -> Self {
        Self { ring, output, encoder, reported: 0, mid_line: false }
    }

    /// The body of the thread.
    pub(super) fn run(mut self) {
        let mut chunks = VecDeque::new();
        while self.ring.take(&mut chunks) {
            while !chunks.is_empty() {
                self.batch(&mut chunks);
            }
            self.report();
        }
    }

    /// Writes the first of the chunks, and gives their room and their buffers back.
    fn batch(&mut self, chunks: &mut VecDeque<Chunk>) {
        let count = chunks.len().min(BATCH);
        let slices: Vec<&[u8]> = chunks.iter().take(count).map(|chunk| &*chunk.bytes).collect();
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        if let Err(lines) = write_all(&self.output, &slices, &mut self.mid_line) {
            self.ring.lost(lines);
        }
        for Chunk { mut bytes, home, .. } in chunks.drain(..count) {
            if let Some(home) = home {
                bytes.clear();
                // Whoever has buffers enough, or is gone, does not need this one.
                let _ = home.try_send(bytes);
            }
        }
        self.ring.release(bytes);
    }

    /// Tells how many lines were lost, as soon as lines flow again.
    fn report(&mut self) {
        let lost = self.ring.dropped() - self.reported;
        if lost == 0 {
            return;
        }
        let mut line = Vec::new();
        let event = Event::LogLinesDropped { lines: u32::try_from(lost).unwrap_or(u32::MAX) };
        self.encoder.event(&mut line, &event, &Redactor::default(), SystemTime::now());
        // Where not even this can be written, it is said later, with what was lost until then.
        if write_all(&self.output, &[&line], &mut self.mid_line).is_ok() {
            self.reported += lost;
        }
    }
}

/// Writes all of it, however long that takes; of what cannot be written, says how many lines it was.
fn write_all(output: &OwnedFd, slices: &[&[u8]], mid_line: &mut bool) -> Result<(), u64> {
    let repair: &[u8] = if *mid_line { b"\n" } else { b"" };
    let mut all: Vec<IoSlice<'_>> = Vec::with_capacity(slices.len() + 1);
    all.extend(
        std::iter::once(&repair).chain(slices).filter(|slice| !slice.is_empty()).map(|slice| IoSlice::new(slice)),
    );
    let mut rest = &mut all[..];
    while !rest.is_empty() {
        match writev(output, rest) {
            Ok(0) => return Err(lines(rest)),
            Ok(count) => {
                *mid_line = !ends_line(rest, count);
                IoSlice::advance_slices(&mut rest, count);
            }
            Err(Errno::INTR) => {}
            // Somebody who shares our stdout made it non-blocking.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(output, PollFlags::OUT)], None);
            }
            Err(_) => return Err(lines(rest)),
        }
    }
    Ok(())
}

/// Whether the last of the first `count` bytes ends a line.
fn ends_line(slices: &[IoSlice<'_>], count: usize) -> bool {
    let mut before = count - 1;
    for slice in slices {
        match slice.get(before) {
            Some(byte) => return *byte == b'\n',
            None => before -= slice.len(),
        }
    }
    false
}

fn lines(slices: &[IoSlice<'_>]) -> u64 {
    slices.iter().flat_map(|slice| slice.iter()).map(|byte| u64::from(*byte == b'\n')).sum()
}
