//! Methods and their arguments, as bytes.

use crate::cursor::Cursor;

/// The methods that a check says and hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    ConnectionStart,
    ConnectionStartOk,
    ConnectionTune,
    ConnectionTuneOk,
    ConnectionOpen,
    ConnectionOpenOk,
    ConnectionClose,
    ConnectionCloseOk,
    ChannelOpen,
    ChannelOpenOk,
    ChannelClose,
    ChannelCloseOk,
    QueueDeclare,
    QueueDeclareOk,
}

impl Method {
    /// Its class, and its number there.
    pub(super) fn numbers(self) -> [u16; 2] {
        match self {
            Self::ConnectionStart => [10, 10],
            Self::ConnectionStartOk => [10, 11],
            Self::ConnectionTune => [10, 30],
            Self::ConnectionTuneOk => [10, 31],
            Self::ConnectionOpen => [10, 40],
            Self::ConnectionOpenOk => [10, 41],
            Self::ConnectionClose => [10, 50],
            Self::ConnectionCloseOk => [10, 51],
            Self::ChannelOpen => [20, 10],
            Self::ChannelOpenOk => [20, 11],
            Self::ChannelClose => [20, 40],
            Self::ChannelCloseOk => [20, 41],
            Self::QueueDeclare => [50, 10],
            Self::QueueDeclareOk => [50, 11],
        }
    }
}

/// A value in a table of ours.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    True,
    Table(&'a [(&'a str, Value<'a>)]),
}

/// A method with its arguments, written one after another.
#[derive(Debug, Clone)]
pub(super) struct Arguments(Vec<u8>);

impl Arguments {
    pub(super) fn of(method: Method) -> Self {
        Self(method.numbers().iter().flat_map(|number| number.to_be_bytes()).collect())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(super) fn short_number(mut self, number: u16) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn long_number(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Text of at most 255 bytes; more is cut, which no name that was accepted needs.
    pub(super) fn short(mut self, text: &str) -> Self {
        let text = &text.as_bytes()[..text.len().min(usize::from(u8::MAX))];
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(text);
        self
    }

    pub(super) fn long(mut self, bytes: &[u8]) -> Self {
        // Frames are far shorter than what 32 bits can count, or are refused.
        self = self.long_number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn table(self, entries: &[(&str, Value<'_>)]) -> Self {
        let mut table = Self(Vec::new());
        for (name, value) in entries {
            table = table.short(name);
            table = match value {
                Value::Text(text) => table.byte(b'S').long(text.as_bytes()),
                Value::True => table.byte(b't').byte(1),
                Value::Table(entries) => table.byte(b'F').table(entries),
            };
        }
        self.long(&table.0)
    }

    /// No method is the cause of our closing.
    pub(super) fn empty_cause(self) -> Self {
        self.short_number(0).short_number(0)
    }
}

/// Text of at most 255 bytes.
pub(super) fn short<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = cursor.byte()?;
    cursor.take(length.into())
}

/// Text, or a table as it stands.
pub(super) fn long<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(cursor.array()?);
    cursor.take(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_one_after_another_behind_the_method() {
        let table = [("a", Value::Text("b")), ("c", Value::Table(&[("d", Value::True)]))];
        let written = Arguments::of(Method::QueueDeclare).short_number(7).short("mail").table(&table);
        let expected =
            b"\x00\x32\x00\x0a\x00\x07\x04mail\x00\x00\x00\x13\x01aS\x00\x00\x00\x01b\x01cF\x00\x00\x00\x04\x01dt\x01";
        assert_eq!(written.bytes(), expected);
    }

    #[test]
    fn text_that_claims_to_be_longer_than_it_is_is_none() {
        assert_eq!(short(&mut Cursor(b"\x02ab")), Some(&b"ab"[..]));
        assert_eq!(short(&mut Cursor(b"\x03ab")), None);
        assert_eq!(long(&mut Cursor(b"\xff\xff\xff\xffab")), None);
    }
}
