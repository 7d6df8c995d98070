//! The head of an answer: what it says of itself, and how long what follows it is.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::Framing;

/// Most headers of an answer.
const MOST_HEADERS: usize = 100;

/// Longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The head of an answer. Its headers are with whoever gave the map for them, without those that belong to this hop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The reason, where it is not the usual one of its status.
    pub(crate) reason: Option<Bytes>,
    pub(crate) framing: Framing,
    /// Whether the connection can carry another request.
    pub(crate) keep: Keep,
    /// Whether `Upgrade` names WebSocket.
    pub(crate) websocket: bool,
    /// What came after the head.
    pub(crate) rest: Bytes,
}

/// What the program says of the connection after this answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Close,
    /// For a time that it does not tell.
    Open,
    /// For this many seconds (`Keep-Alive: timeout=…`).
    Seconds(u64),
}

/// Why a head is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("{0}")]
    Syntax(#[from] httparse::Error),
    #[error("the head is longer than {LONGEST_HEAD} bytes")]
    TooLong,
    #[error("a header that is none")]
    Header,
    #[error("a status of less than three digits")]
    Status,
    #[error("a Content-Length that is no number, or two that differ")]
    Length,
    #[error("a transfer coding other than chunked")]
    Coding,
    #[error("a transfer coding in an answer of HTTP/1.0")]
    CodingTooEarly,
}

/// What the headers say that concern us and not the client.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that are told apart from each other")]
struct Hop {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    seconds: Option<u64>,
    websocket: bool,
    /// Headers that `Connection` names; nearly never any.
    named: Vec<HeaderName>,
}

/// Headers that are read here.
#[derive(Clone, Copy)]
enum Known {
    Connection,
    KeepAlive,
    Length,
    Coding,
    Upgrade,
    /// Belongs to this hop and says nothing to us.
    Dropped,
}

impl Known {
    /// By the raw name, so that what is not passed on costs no header.
    fn of(name: &[u8]) -> Option<Self> {
        let (known, of) = match name.len() {
            2 => ("te", Self::Dropped),
            7 => ("upgrade", Self::Upgrade),
            10 if name[0].eq_ignore_ascii_case(&b'c') => ("connection", Self::Connection),
            10 => ("keep-alive", Self::KeepAlive),
            14 => ("content-length", Self::Length),
            16 => ("proxy-connection", Self::Dropped),
            17 => ("transfer-encoding", Self::Coding),
            18 => ("proxy-authenticate", Self::Dropped),
            19 => ("proxy-authorization", Self::Dropped),
            _ => return None,
        };
        name.eq_ignore_ascii_case(known.as_bytes()).then_some(of)
    }
}

impl Answer {
    /// Reads a head from the beginning of `received`; `None` where the rest of it is still to come. `to_head` says that
    /// the request was a `HEAD`. `headers` is filled; what was in it is gone.
    pub(super) fn read(received: &[u8], to_head: bool, headers: &mut HeaderMap) -> Result<Option<Self>, HeadError> {
        let mut lines = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let end = match parser.parse_response_with_uninit_headers(&mut response, received, &mut lines)? {
            httparse::Status::Complete(end) if end <= LONGEST_HEAD => end,
            httparse::Status::Partial if received.len() <= LONGEST_HEAD => return Ok(None),
            httparse::Status::Complete(_) | httparse::Status::Partial => return Err(HeadError::TooLong),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(HeadError::Status)?;
        // One allocation for the head and what came with it.
        let whole = Bytes::copy_from_slice(received);
        let mut hop = Hop::default();
        headers.clear();
        for line in &*response.headers {
            if let Some(known) = Known::of(line.name.as_bytes()) {
                hop.learn(known, line.value)?;
                // One length is passed on, as it came.
                if !matches!(known, Known::Length)
                    || line.value.contains(&b',')
                    || headers.contains_key(header::CONTENT_LENGTH)
                {
                    continue;
                }
            }
            let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| HeadError::Header)?;
            let from = line.value.as_ptr().addr() - received.as_ptr().addr();
            let value = whole.slice(from..from + line.value.len());
            headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| HeadError::Header)?);
        }
        let said = response.reason.filter(|said| !said.is_empty() && status.canonical_reason() != Some(said));
        let reason = said.map(|said| Bytes::copy_from_slice(said.as_bytes()));
        let old = response.version == Some(0);
        let framing = hop.framing(status, to_head, old)?;
        for name in &hop.named {
            headers.remove(name);
        }
        let keep = hop.keep(framing, old);
        match hop.length {
            Some(_) if hop.chunked => drop(headers.remove(header::CONTENT_LENGTH)),
            Some(length) if !headers.contains_key(header::CONTENT_LENGTH) => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            Some(_) | None => {}
        }
        Ok(Some(Self { status, reason, framing, keep, websocket: hop.websocket, rest: whole.slice(end..) }))
    }
}

impl Hop {
    fn length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        // A list of one number, again and again, is that number (RFC 9110, 8.6).
        for number in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
                return Err(HeadError::Length);
            }
            let length = number
                .iter()
                .try_fold(0_u64, |length, digit| length.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
            let length = length.ok_or(HeadError::Length)?;
            if self.length.replace(length).is_some_and(|other| other != length) {
                return Err(HeadError::Length);
            }
        }
        Ok(())
    }

    fn learn(&mut self, known: Known, value: &[u8]) -> Result<(), HeadError> {
        match known {
            Known::Connection => {
                for token in tokens(value) {
                    if token.eq_ignore_ascii_case(b"close") {
                        self.close = true;
                    } else if token.eq_ignore_ascii_case(b"keep-alive") {
                        self.keep_alive = true;
                    } else if let Ok(name) = HeaderName::from_bytes(token)
                        && !matches!(name, header::CONTENT_LENGTH | header::CONTENT_TYPE)
                    {
                        self.named.push(name);
                    }
                }
            }
            Known::KeepAlive => {
                let timeout = |token: &[u8]| {
                    let (name, value) = std::str::from_utf8(token).ok()?.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse().ok())?
                };
                self.seconds = tokens(value).find_map(timeout).or(self.seconds);
            }
            Known::Coding => {
                // Taking off one coding of several would hand on what nobody can read.
                if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(HeadError::Coding);
                }
                self.chunked = true;
            }
            Known::Upgrade => self.websocket |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"websocket")),
            Known::Length => self.length(value)?,
            Known::Dropped => {}
        }
        Ok(())
    }

    fn framing(&self, status: StatusCode, to_head: bool, old: bool) -> Result<Framing, HeadError> {
        let bare = to_head || status.is_informational();
        if bare || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Framing::Empty);
        }
        match (self.chunked, self.length) {
            (true, _) if old => Err(HeadError::CodingTooEarly),
            (true, _) => Ok(Framing::Chunked),
            (false, Some(0)) => Ok(Framing::Empty),
            (false, Some(length)) => Ok(Framing::Length(length)),
            (false, None) => Ok(Framing::UntilClose),
        }
    }

    fn keep(&self, framing: Framing, old: bool) -> Keep {
        // Whoever frames an answer in two ways may have meant either.
        let doubtful = self.chunked && self.length.is_some();
        if self.close || old && !self.keep_alive || framing == Framing::UntilClose || doubtful {
            return Keep::Close;
        }
        self.seconds.map_or(Keep::Open, Keep::Seconds)
    }
}

fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(head: &str) -> Result<Option<(Answer, HeaderMap)>, HeadError> {
        let mut headers = HeaderMap::new();
        Ok(Answer::read(head.as_bytes(), false, &mut headers)?.map(|answer| (answer, headers)))
    }

    fn whole(lines: &str) -> (Answer, HeaderMap) {
        read(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).unwrap().unwrap()
    }

    fn refused(lines: &str) -> HeadError {
        read(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).unwrap_err()
    }

    #[test]
    fn what_belongs_to_this_hop_is_read_and_not_passed_on() {
        let (answer, headers) = whole(
            "Connection: keep-alive, X-Internal\r\nKeep-Alive: max=9, timeout=5\r\nX-Internal: 1\r\nTE: a\r\nProxy-Connection: \
             close\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n",
        );
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "content-type"]);
        assert_eq!(answer.keep, Keep::Seconds(5));
        assert_eq!(answer.framing, Framing::Length(5));
    }

    #[test]
    fn what_follows_the_head_is_kept_apart() {
        let (answer, _) = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap().unwrap();
        assert_eq!(answer.rest, "ok");
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
    }

    #[test]
    fn a_length_that_is_told_twice_is_one_only_where_both_agree() {
        assert_eq!(whole("Content-Length: 5\r\nContent-Length: 5\r\n").0.framing, Framing::Length(5));
        assert_eq!(whole("Content-Length: 5, 5\r\n").1.get_all(header::CONTENT_LENGTH).iter().count(), 1);
        for lines in
            ["Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5, 6\r\n", "Content-Length: +5\r\n"]
        {
            assert_eq!(refused(lines), HeadError::Length, "{lines}");
        }
        assert_eq!(refused("Content-Length: 18446744073709551616\r\n"), HeadError::Length);
        assert_eq!(refused("Content-Length: \r\n"), HeadError::Length);
    }

    #[test]
    fn chunks_win_over_a_length_and_end_the_connection() {
        let (answer, headers) = whole("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n");
        assert_eq!((answer.framing, answer.keep), (Framing::Chunked, Keep::Close));
        assert!(!headers.contains_key(header::CONTENT_LENGTH));
    }

    #[test]
    fn a_coding_that_we_would_have_to_take_off_is_refused() {
        for lines in [
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(refused(lines), HeadError::Coding, "{lines}");
        }
        assert_eq!(read("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(HeadError::CodingTooEarly));
    }

    #[test]
    fn an_answer_without_a_body_has_none_whatever_its_headers_say() {
        for status in ["204 No Content", "304 Not Modified", "103 Early Hints"] {
            let (answer, _) = read(&format!("HTTP/1.1 {status}\r\nContent-Length: 7\r\n\r\n")).unwrap().unwrap();
            assert_eq!(answer.framing, Framing::Empty, "{status}");
        }
        let mut headers = HeaderMap::new();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(Answer::read(head, true, &mut headers).unwrap().unwrap().framing, Framing::Empty);
        assert_eq!(headers[header::CONTENT_LENGTH], "7");
    }

    #[test]
    fn a_connection_is_kept_by_the_rules_of_its_version() {
        assert_eq!(whole("Content-Length: 0\r\n").0.keep, Keep::Open);
        assert_eq!(whole("Content-Length: 0\r\nConnection: close\r\n").0.keep, Keep::Close);
        assert_eq!(whole("").0.keep, Keep::Close);
        let old = |lines: &str| {
            read(&format!("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n{lines}\r\n")).unwrap().unwrap().0.keep
        };
        assert_eq!(old(""), Keep::Close);
        assert_eq!(old("Connection: Keep-Alive\r\n"), Keep::Open);
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(LONGEST_HEAD));
        assert_eq!(read(&head), Err(HeadError::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(received in prop::collection::vec(any::<u8>(), 0..200), to_head: bool) {
            let _ = Answer::read(&received, to_head, &mut HeaderMap::new());
        }

        #[test]
        fn no_lines_make_it_panic(lines in "([A-Za-z-]{1,20}: ?[ -~]{0,20}\r\n){0,6}") {
            let _ = read(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
        }

        #[test]
        fn a_head_that_comes_in_pieces_is_the_same(cut in 0_usize..60) {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok";
            let first = &head[..cut.min(head.len())];
            let complete = read(first).unwrap();
            prop_assert_eq!(complete.is_some(), first.len() >= head.len() - 2);
        }
    }

    #[test]
    fn fuzz_an_answer_is_read_whole_or_refused() {
        seaworthy_fuzz::drive("answer", |received| {
            let mut headers = HeaderMap::new();
            let Ok(Some(answer)) = Answer::read(received, false, &mut headers) else { return };
            assert!(received.ends_with(&answer.rest));
            assert!(!headers.contains_key(header::TRANSFER_ENCODING) && !headers.contains_key(header::CONNECTION));
            let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
            assert!(lengths <= 1 && !(lengths == 1 && answer.framing == Framing::Chunked));
        });
    }
}
