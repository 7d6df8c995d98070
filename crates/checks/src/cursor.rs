//! Bytes that were read, taken apart from the front. Whatever is too short gives nothing.

/// What is left of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Up to `end`, which is taken as well.
    pub(crate) fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == end)?;
        let taken = self.take(length)?;
        self.take(1)?;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_short_gives_nothing_and_takes_nothing() {
        let mut cursor = Cursor(b"\x01\x02abc\x00d");
        assert_eq!((cursor.byte(), cursor.byte()), (Some(1), Some(2)));
        assert_eq!(cursor.until(0), Some(&b"abc"[..]));
        assert_eq!((cursor.array::<2>(), cursor.until(0), cursor.take(2)), (None, None, None));
        assert_eq!((cursor.byte(), cursor.byte()), (Some(b'd'), None));
    }
}
