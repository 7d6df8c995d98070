//! The chunked transfer coding, as a machine that is fed what comes (RFC 9112, 7.1).

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What sizes, extensions and trailers may amount to between two pieces of data: they are read and kept for nobody.
const LONGEST_OVERHEAD: usize = 16 * 1024;

/// Most trailers.
const MOST_TRAILERS: usize = 64;

/// A body in chunks that is being read.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of this line, or of the trailers.
    overhead: usize,
    trailers: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    Start,
    Size(u64),
    /// After the size, up to the end of the line.
    Extension(u64),
    /// A line feed has to come, then so many bytes.
    SizeEnd(u64),
    Data(u64),
    /// The line end after a chunk.
    DataEnd,
    DataFeed,
    Trailers,
    End,
}

/// What came of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Data(Bytes),
    /// The last thing of a body that has some.
    Trailers(HeaderMap),
    End,
    /// Nothing is left to read; more has to come.
    More,
}

/// Why chunks are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    #[error("a chunk size that is no hexadecimal number of 64 bits")]
    Size,
    #[error("a chunk that is longer than its size, or a line end that is none")]
    Line,
    #[error("more than {LONGEST_OVERHEAD} bytes of chunk extension or trailers")]
    TooLong,
    #[error("a trailer that is none")]
    Trailer,
}

impl Chunked {
    /// Takes the next thing out of `received`.
    pub(super) fn step(&mut self, received: &mut Bytes) -> Result<Step, ChunkError> {
        loop {
            if let State::Data(left) = self.state {
                if received.is_empty() {
                    return Ok(Step::More);
                }
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(received.len());
                let data = received.split_to(count);
                self.state = match left - count as u64 {
                    0 => State::DataEnd,
                    left => State::Data(left),
                };
                return Ok(Step::Data(data));
            }
            if self.state == State::End {
                return Ok(Step::End);
            }
            let Some(byte) = received.first().copied() else { return Ok(Step::More) };
            received.advance(1);
            self.overhead += 1;
            if self.overhead > LONGEST_OVERHEAD {
                return Err(ChunkError::TooLong);
            }
            self.state = self.next(byte)?;
            if self.state == State::End && !self.trailers.is_empty() {
                return self.read_trailers().map(Step::Trailers);
            }
        }
    }

    fn next(&mut self, byte: u8) -> Result<State, ChunkError> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Ok(match (self.state, byte) {
            (State::Start, _) => State::Size(digit.ok_or(ChunkError::Size)?),
            (State::Size(size) | State::Extension(size), b'\r') => State::SizeEnd(size),
            (State::Size(size), b';' | b' ' | b'\t') => State::Extension(size),
            (State::Size(size), _) => {
                let digit = digit.ok_or(ChunkError::Size)?;
                State::Size(size.checked_mul(16).and_then(|size| size.checked_add(digit)).ok_or(ChunkError::Size)?)
            }
            // A bare line feed ends the line for some readers and not for others.
            (State::Extension(_), b'\n') => return Err(ChunkError::Line),
            (State::Extension(size), _) => State::Extension(size),
            (State::SizeEnd(0), b'\n') => {
                self.overhead = 0;
                State::Trailers
            }
            (State::SizeEnd(size), b'\n') => {
                self.overhead = 0;
                State::Data(size)
            }
            (State::DataEnd, b'\r') => State::DataFeed,
            (State::DataFeed, b'\n') => State::Start,
            (State::Trailers, _) => {
                self.trailers.push(byte);
                if self.trailers == b"\r\n" {
                    self.trailers.clear();
                    State::End
                } else if self.trailers.ends_with(b"\r\n\r\n") {
                    State::End
                } else {
                    State::Trailers
                }
            }
            (State::SizeEnd(_) | State::DataEnd | State::DataFeed, _) => return Err(ChunkError::Line),
            (State::Data(_) | State::End, _) => self.state,
        })
    }

    fn read_trailers(&mut self) -> Result<HeaderMap, ChunkError> {
        let block = std::mem::take(&mut self.trailers);
        let mut lines = [httparse::EMPTY_HEADER; MOST_TRAILERS];
        let Ok(httparse::Status::Complete((_, lines))) = httparse::parse_headers(&block, &mut lines) else {
            return Err(ChunkError::Trailer);
        };
        let mut trailers = HeaderMap::with_capacity(lines.len());
        for line in lines {
            let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| ChunkError::Trailer)?;
            let value = HeaderValue::from_bytes(line.value).map_err(|_| ChunkError::Trailer)?;
            if may_trail(&name) {
                trailers.append(name, value);
            }
        }
        Ok(trailers)
    }
}

/// Whether a field may come after the body: not what frames, routes or authenticates a message (RFC 9110, 6.5.1).
pub(super) fn may_trail(name: &HeaderName) -> bool {
    !matches!(
        *name,
        header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONNECTION
            | header::CONTENT_ENCODING
            | header::CONTENT_LENGTH
            | header::CONTENT_RANGE
            | header::CONTENT_TYPE
            | header::COOKIE
            | header::HOST
            | header::MAX_FORWARDS
            | header::PROXY_AUTHORIZATION
            | header::SET_COOKIE
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `pieces` one after the other; what was read, its trailers, and what was left over.
    fn feed(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<HeaderMap>, bool), ChunkError> {
        let (mut chunked, mut data, mut trailers) = (Chunked::default(), Vec::new(), None);
        for piece in pieces {
            let mut piece = Bytes::copy_from_slice(piece);
            loop {
                match chunked.step(&mut piece)? {
                    Step::Data(bytes) => data.extend_from_slice(&bytes),
                    Step::Trailers(found) => trailers = Some(found),
                    Step::More | Step::End => break,
                }
            }
        }
        Ok((data, trailers, chunked.state == State::End))
    }

    #[test]
    fn chunks_are_joined_and_their_extensions_ignored() {
        let body = b"4\r\nWiki\r\n5;name=\"v;x\"\r\npedia\r\nE \r\n in\r\n\r\nchunks.\r\n0\r\n\r\n";
        assert_eq!(feed(&[body]).unwrap(), (b"Wikipedia in\r\n\r\nchunks.".to_vec(), None, true));
    }

    #[test]
    fn trailers_are_read_but_for_those_that_may_not_trail() {
        let (data, trailers, ended) = feed(&[b"1\r\na\r\n0\r\nX-Sum: 7\r\nContent-Length: 3\r\n\r\n"]).unwrap();
        let trailers = trailers.unwrap();
        assert!(ended);
        assert_eq!((data.as_slice(), trailers.len()), (&b"a"[..], 1));
        assert_eq!(trailers["x-sum"], "7");
    }

    #[test]
    fn what_two_readers_would_read_differently_is_refused() {
        for (body, error) in [
            (&b"g\r\n"[..], ChunkError::Size),
            (b"\r\n", ChunkError::Size),
            (b"-1\r\n", ChunkError::Size),
            (b"0x1\r\na\r\n", ChunkError::Size),
            (b"11111111111111111\r\n", ChunkError::Size),
            (b"1\na", ChunkError::Size),
            (b"1;a\nb", ChunkError::Line),
            (b"1\r\nab\r\n", ChunkError::Line),
            (b"1\r\na\n", ChunkError::Line),
            (b"1\rXa\r\n", ChunkError::Line),
            (b"0\r\nno colon\r\n\r\n", ChunkError::Trailer),
        ] {
            assert_eq!(feed(&[body]), Err(error), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn an_extension_and_trailers_have_an_end() {
        let long = vec![b'x'; LONGEST_OVERHEAD];
        assert_eq!(feed(&[b"1;", &long]), Err(ChunkError::TooLong));
        assert_eq!(feed(&[b"0\r\nx: ", &long]), Err(ChunkError::TooLong));
    }

    #[test]
    fn the_overhead_of_many_small_chunks_does_not_add_up() {
        let chunk: &[u8] = b"1;ext=12345678901234567890\r\na\r\n";
        let pieces = vec![chunk; 2_000];
        assert_eq!(feed(&pieces).unwrap().0.len(), 2_000);
    }

    proptest! {
        #[test]
        fn where_it_is_cut_makes_no_difference(cuts in prop::collection::vec(0_usize..70, 0..5)) {
            let body = b"4\r\nWiki\r\n6;n=v\r\npedia \r\n0\r\nX-Sum: 7\r\n\r\n";
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            let (data, trailers, ended) = feed(&pieces).unwrap();
            prop_assert_eq!(data, b"Wikipedia ".to_vec());
            prop_assert_eq!(&trailers.unwrap()["x-sum"], "7");
            prop_assert!(ended);
        }

        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = feed(&[&body]);
        }

        #[test]
        fn no_letters_make_it_panic(body in "[0-9a-fx;\r\n: ]{0,60}") {
            let _ = feed(&[body.as_bytes()]);
        }
    }

    #[test]
    fn fuzz_chunks_are_the_same_however_they_come() {
        seaworthy_fuzz::drive("chunked", |body| {
            let whole = feed(&[body]);
            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(feed(&bytes), whole);
        });
    }
}
