//! Output cut into lines, and the last of them.

use std::collections::VecDeque;
use std::pin::Pin;

use seaworthy_core::event::Stream;

/// The longest piece that is handed on; a longer line comes in several.
pub(crate) const LONGEST: usize = 64 * 1024;

/// How many lines are kept to be shown when something goes wrong, and how much of each.
const KEPT: usize = 20;
const KEPT_BYTES: usize = 512;

/// One line that a child wrote, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputLine<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) stream: Stream,
    pub(crate) pid: u32,
    /// Without its end of line. At most [`LONGEST`]; may be any bytes.
    pub(crate) bytes: &'a [u8],
    /// Goes on where the piece before it on the same stream ended.
    pub(crate) continued: bool,
    /// The piece that follows on the same stream belongs to the same line.
    pub(crate) unfinished: bool,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    App,
    /// A migration or a hook, by its name.
    Command(&'a str),
}

/// Takes lines.
pub(crate) trait Lines: Send + Sync {
    /// Must never wait: what cannot be passed on at once is dropped, because a program whose pipe is not read stands still.
    fn line(&self, line: OutputLine<'_>);

    /// Completes when more may be read of what the program writes. Only for those who would rather have it stand still
    /// than lose a line.
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// A piece of a line: its bytes, and whether it continues one and is continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) continued: bool,
    pub(super) unfinished: bool,
}

/// Cuts a stream into lines. Holds at most [`LONGEST`] bytes.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
    /// A piece of this line was handed out.
    continued: bool,
}

impl Splitter {
    /// Takes more of the stream, and gives out what is complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Piece<'_>)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.extend(&bytes[..end], &mut each);
            self.end(&mut each);
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes, &mut each);
    }

    /// Gives out what is left of a stream that has ended.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            self.end(&mut each);
        }
    }

    fn extend(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Piece<'_>)) {
        // One byte more than fits has to be known before a piece is called unfinished.
        while self.held.len() + bytes.len() > LONGEST {
            let (fits, rest) = bytes.split_at(LONGEST - self.held.len());
            self.held.extend_from_slice(fits);
            each(Piece { bytes: &self.held, continued: self.continued, unfinished: true });
            self.held.clear();
            self.continued = true;
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
    }

    fn end(&mut self, each: &mut impl FnMut(Piece<'_>)) {
        let bytes = self.held.strip_suffix(b"\r").unwrap_or(&self.held);
        each(Piece { bytes, continued: self.continued, unfinished: false });
        self.held.clear();
        self.continued = false;
    }
}

/// The last lines of a child, for the error that says why it failed.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<String>);

impl Tail {
    pub(super) fn push(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let shown = &line[..line.len().min(KEPT_BYTES)];
        let mut text = String::from_utf8_lossy(shown).into_owned();
        if shown.len() < line.len() {
            text.push('…');
        }
        self.0.push_back(text);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(Vec<u8>, bool, bool)> {
        let (mut splitter, mut pieces) = (Splitter::default(), Vec::new());
        let mut take = |piece: Piece<'_>| pieces.push((piece.bytes.to_vec(), piece.continued, piece.unfinished));
        for chunk in chunks {
            splitter.push(chunk, &mut take);
        }
        splitter.finish(&mut take);
        pieces
    }

    fn whole(text: &str) -> (Vec<u8>, bool, bool) {
        (text.as_bytes().to_vec(), false, false)
    }

    #[test]
    fn lines_come_whole_however_the_pipe_cut_them() {
        let chunks: [&[u8]; 4] = [b"one\ntw", b"o\r\n", b"\nno end", b" of line"];
        assert_eq!(split(chunks), ["one", "two", "", "no end of line"].map(whole));
    }

    #[test]
    fn a_line_of_exactly_the_longest_is_one_piece_and_a_byte_more_makes_two() {
        let longest = vec![b'x'; LONGEST];
        assert_eq!(split([&longest[..], b"\n"]), [(longest.clone(), false, false)]);
        let pieces = split([&longest[..], b"y\nz\n"]);
        assert_eq!(pieces, [(longest, false, true), (b"y".to_vec(), true, false), whole("z")]);
    }

    #[test]
    fn the_last_lines_are_few_and_short() {
        let mut tail = Tail::default();
        for number in 0..100 {
            tail.push(format!("line {number}").as_bytes());
        }
        tail.push(&[b'x'; 10_000]);
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (KEPT, "line 81"));
        assert_eq!(lines[KEPT - 1].chars().count(), KEPT_BYTES + 1);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_invented(text in "([a-z]{0,9}\n?){0,40}", cuts in prop::collection::vec(0_usize..400, 0..20)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            let lines: Vec<String> = split(chunks).into_iter().map(|(line, ..)| String::from_utf8(line).unwrap()).collect();
            prop_assert_eq!(lines, text.lines().map(str::to_owned).collect::<Vec<_>>());
        }
    }

    #[test]
    fn fuzz_a_stream_gives_the_same_lines_however_it_is_cut() {
        seaworthy_fuzz::drive("output", |stream| {
            assert_eq!(split([stream]), split(stream.chunks(7)));
        });
    }
}
