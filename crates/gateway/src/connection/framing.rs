//! Whether a connection ever brought a `Content-Length`, seen in the bytes before HTTP is made of them.
//!
//! A request with a length *and* chunks is read by its chunks, but the connection must not be used after it
//! (RFC 9112, 6.1): whoever stands before us may have read it by its length, and what we take for a next request would be
//! the body of this one. hyper takes the length away before anybody can see that it was there, so it is looked for here.
//!
//! What is seen stays seen. A client that sends lengths and chunks on one connection, each in a request of its own, opens a
//! new connection after the chunks; that is all it costs.

use memchr::memchr_iter;

const NAME: &[u8] = b"content-length";
/// Where the hyphen stands in it, which is rare enough in a head to be looked for.
const HYPHEN: usize = 7;

/// Looks through what a connection brings, read by read.
#[derive(Debug, Default)]
pub(super) struct LengthWatch {
    seen: bool,
    /// The end of the last read, which may be the beginning of the name.
    tail: [u8; NAME.len() - 1],
    filled: usize,
}

impl LengthWatch {
    /// Whether the name was seen so far.
    pub(super) fn seen(&self) -> bool {
        self.seen
    }

    /// Takes what was read.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        if self.seen {
            return;
        }
        self.seen = holds_name(bytes) || self.spans(bytes);
        self.keep(bytes);
    }

    /// Whether the name begins in the tail and ends in `bytes`.
    fn spans(&self, bytes: &[u8]) -> bool {
        let mut seam = [0; 2 * (NAME.len() - 1)];
        let after = bytes.len().min(NAME.len() - 1);
        seam[..self.filled].copy_from_slice(&self.tail[..self.filled]);
        seam[self.filled..self.filled + after].copy_from_slice(&bytes[..after]);
        self.filled > 0 && holds_name(&seam[..self.filled + after])
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.tail.len();
        if bytes.len() >= room {
            self.tail.copy_from_slice(&bytes[bytes.len() - room..]);
            self.filled = room;
            return;
        }
        let kept = self.filled.min(room - bytes.len());
        self.tail.copy_within(self.filled - kept..self.filled, 0);
        self.tail[kept..kept + bytes.len()].copy_from_slice(bytes);
        self.filled = kept + bytes.len();
    }
}

fn holds_name(bytes: &[u8]) -> bool {
    memchr_iter(b'-', bytes).any(|hyphen| {
        let name = hyphen.checked_sub(HYPHEN).and_then(|start| bytes.get(start..start + NAME.len()));
        name.is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut watch = LengthWatch::default();
        reads.into_iter().for_each(|bytes| watch.read(bytes));
        watch.seen()
    }

    #[test]
    fn the_name_is_seen_in_any_case_and_similar_ones_are_not() {
        assert!(seen([b"POST / HTTP/1.1\r\nCONTENT-length: 7\r\n".as_slice()]));
        assert!(!seen([b"GET / HTTP/1.1\r\nContent-Type: x\r\nX-Content: length\r\n".as_slice()]));
        assert!(!seen([b"-length: content".as_slice(), b"-".as_slice()]));
    }

    proptest! {
        #[test]
        fn it_is_seen_however_the_reads_cut_it(before in "[ -~]{0,40}", after in "[ -~]{0,40}", cuts in proptest::collection::vec(1usize..20, 0..40)) {
            let text = format!("{before}\r\nContent-Length: 1{after}");
            let (mut rest, mut reads) = (text.as_bytes(), Vec::new());
            for cut in cuts {
                let (read, left) = rest.split_at(cut.min(rest.len()));
                reads.push(read);
                rest = left;
            }
            reads.push(rest);
            prop_assert!(seen(reads));
        }
    }
}
