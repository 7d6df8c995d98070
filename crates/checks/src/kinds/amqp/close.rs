//! Why a server closes a channel or a connection, and of which class that is.

use seaworthy_core::health::Class;

use super::method::short;
use crate::cursor::Cursor;
use crate::probe::Failure;

/// Reads the arguments of a `close`.
pub(super) fn reason(arguments: &[u8]) -> Option<Failure> {
    let mut cursor = Cursor(arguments);
    let code = u16::from_be_bytes(cursor.array()?);
    let text = String::from_utf8_lossy(short(&mut cursor)?);
    Some(Failure::new(class(code, &text), format!("{text} ({code})")))
}

fn class(code: u16, text: &str) -> Class {
    match code {
        403 => Class::Auth,
        // Of a virtual host: one that is not there, or that the user may not enter.
        530 if text.contains("refused") => Class::Auth,
        // It shuts down, or somebody closed the connection by hand.
        320 => Class::Refused,
        501..=505 => Class::Protocol,
        _ => Class::Condition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_closes_says_why() {
        let closed = reason(b"\x01\x94\x15NOT_FOUND - no queue \x00\x32\x00\x0a").unwrap();
        assert_eq!((closed.to_string().as_str(), closed.class), ("NOT_FOUND - no queue  (404)", Class::Condition));
        assert_eq!(reason(b"\x01\x94\x15short"), None);
        assert_eq!(class(530, "NOT_ALLOWED - access to vhost 'a' refused for user 'b'"), Class::Auth);
        assert_eq!(class(530, "NOT_ALLOWED - vhost a not found"), Class::Condition);
        assert_eq!(class(320, "CONNECTION_FORCED - broker forced connection closure"), Class::Refused);
    }
}
