//! Header values that are made for each request, cut from a buffer of the thread.
//!
//! A value that is copied from a slice is an allocation, its first clone another one; and an id is cloned for the request, the answer and the
//! log. What is cut from a common buffer costs neither: clones count for the buffer, which is taken anew when it is used up.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::header::{Entry, InvalidHeaderValue};

/// A dozen values. One that is kept, by a WebSocket for days, keeps so many bytes and no more.
const CHUNK: usize = 1024;

thread_local! {
    static BUFFER: RefCell<Option<BytesMut>> = const { RefCell::new(None) };
}

/// `text`, which is short, as a header value.
///
/// # Errors
///
/// If it holds what no header may.
pub(crate) fn of(text: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::from_maybe_shared(cut(text))
}

/// The one value of a header, in the place of all that it had: a name is looked up once, to read and to write.
pub(crate) fn put(entry: Entry<'_, HeaderValue>, value: HeaderValue) {
    match entry {
        Entry::Occupied(mut occupied) => {
            occupied.insert(value);
        }
        Entry::Vacant(vacant) => {
            vacant.insert(value);
        }
    }
}

fn cut(text: &[u8]) -> Bytes {
    let cut = BUFFER.try_with(|buffer| {
        let mut buffer = buffer.borrow_mut();
        let buffer = buffer.get_or_insert_with(|| BytesMut::with_capacity(CHUNK));
        // Takes a new one of the same size where there is no room left, or this one from its beginning if nobody has anything of it.
        buffer.extend_from_slice(text);
        buffer.split().freeze()
    });
    // A thread that is ending has no buffer any more.
    cut.unwrap_or_else(|_| Bytes::copy_from_slice(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_kept_stay_as_they_are_while_others_come_and_go() {
        let numbers = || (0..10 * CHUNK / 4).map(|number| format!("value-{number}"));
        let kept: Vec<_> = numbers().filter_map(|text| of(text.as_bytes()).ok()).collect();
        numbers().for_each(|text| drop(of(&text.as_bytes()[1..])));
        assert!(kept.iter().map(HeaderValue::as_bytes).eq(numbers().map(String::into_bytes)));
    }

    #[test]
    fn what_no_header_may_hold_is_refused() {
        assert!(of(b"a\r\nb").is_err());
    }
}
