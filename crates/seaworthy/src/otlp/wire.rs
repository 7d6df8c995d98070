//! The wire format of protocol buffers, as much as spans need of it.
//!
//! Written by hand, because a span is encoded on the path of its request: into a buffer that is there, from what is borrowed.
//! A message library wants a tree of owned values first, which is a dozen allocations a span.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        // The low seven bits, and that more follow.
        out.push(low(value) | 0x80);
        value >>= 7;
    }
    out.push(low(value));
}

/// The low byte of a number.
fn low(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// How many bytes [`varint`] writes.
pub(super) fn varint_length(value: usize) -> usize {
    let bits = (usize::BITS - value.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

fn tag(out: &mut Vec<u8>, field: u32, kind: u32) {
    varint(out, u64::from(field << 3 | kind));
}

pub(super) fn integer(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

pub(super) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    prefix(out, field, value.len());
    out.extend_from_slice(value);
}

/// The head of a field of `length` bytes, which follow.
pub(super) fn prefix(out: &mut Vec<u8>, field: u32, length: usize) {
    tag(out, field, LENGTH);
    varint(out, length as u64);
}

/// The length of a field of `length` bytes, with its head.
pub(super) fn field_length(field: u32, length: usize) -> usize {
    varint_length((field << 3) as usize) + varint_length(length) + length
}

/// Room for the length of a message, which is known afterwards: nearly every span has between 128 bytes and 16 KiB.
const ROOM: usize = 2;

/// A message within a message, written by `fill`.
pub(super) fn message(out: &mut Vec<u8>, field: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH);
    let begin = out.len();
    out.extend_from_slice(&[0; ROOM]);
    fill(out);
    let length = (out.len() - begin - ROOM) as u64;
    if (0x80..0x4000).contains(&length) {
        out[begin] = low(length) | 0x80;
        out[begin + 1] = low(length >> 7);
    } else {
        let mut encoded = Vec::new();
        varint(&mut encoded, length);
        out.splice(begin..begin + ROOM, encoded);
    }
}

/// The fields of a message: number and content, where that has a length.
pub(super) fn fields(mut message: &[u8]) -> impl Iterator<Item = (u32, Content<'_>)> {
    std::iter::from_fn(move || {
        let tag = take_varint(&mut message)?;
        let content = match u32::try_from(tag & 7).ok()? {
            VARINT => Content::Integer(take_varint(&mut message)?),
            FIXED64 => Content::Other(take(&mut message, 8)?),
            LENGTH => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                Content::Bytes(take(&mut message, length)?)
            }
            FIXED32 => Content::Other(take(&mut message, 4)?),
            _ => return None,
        };
        Some((u32::try_from(tag >> 3).ok()?, content))
    })
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'m> {
    Integer(u64),
    Bytes(&'m [u8]),
    Other(&'m [u8]),
}

fn take<'m>(message: &mut &'m [u8], length: usize) -> Option<&'m [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_takes_as_many_bytes_as_it_needs() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let mut out = b"before".to_vec();
            message(&mut out, 2, |out| out.resize(out.len() + length, 7));
            let mut expected = b"before".to_vec();
            bytes(&mut expected, 2, &vec![7; length]);
            assert!(out == expected, "{length}");
            assert_eq!(out.len(), 6 + field_length(2, length));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(integers in proptest::collection::vec(any::<u64>(), 0..8), text: Vec<u8>) {
            let mut out = Vec::new();
            for value in &integers {
                integer(&mut out, 3, *value);
            }
            bytes(&mut out, 4, &text);
            fixed64(&mut out, 5, 1);
            fixed32(&mut out, 6, 1);
            let read: Vec<_> = fields(&out).collect();
            prop_assert_eq!(read.len(), integers.len() + 3);
            for (value, field) in integers.iter().zip(&read) {
                prop_assert_eq!(*field, (3, Content::Integer(*value)));
            }
            prop_assert_eq!(read[integers.len()], (4, Content::Bytes(&text[..])));
        }

        #[test]
        fn no_input_makes_the_reader_panic(message: Vec<u8>) {
            prop_assert!(fields(&message).count() <= message.len());
        }
    }
}
