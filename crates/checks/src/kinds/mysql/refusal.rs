//! What a server says when it refuses, and of which class that is.

use seaworthy_core::health::Class;

use crate::cursor::Cursor;
use crate::probe::Failure;

/// What such a packet begins with.
pub(super) const MARK: u8 = 0xff;

/// Reads a refusal. Those before the end of the handshake have no SQLSTATE.
pub(super) fn read(packet: &[u8]) -> Option<Failure> {
    let mut cursor = Cursor(packet);
    if cursor.byte()? != MARK {
        return None;
    }
    let code = u16::from_le_bytes(cursor.array()?);
    let state = cursor.0.strip_prefix(b"#").and_then(|rest| rest.split_at_checked(5));
    let (state, text) = state.map_or((None, cursor.0), |(state, text)| (Some(String::from_utf8_lossy(state)), text));
    let text = String::from_utf8_lossy(text);
    let message = match state {
        Some(state) => format!("ERROR {code} ({state}): {text}"),
        None => format!("ERROR {code}: {text}"),
    };
    Some(Failure::new(class(code), message))
}

/// By the number (MySQL, "Server Error Message Reference"; MariaDB, "Error Codes"): one SQLSTATE has many of them.
fn class(code: u16) -> Class {
    match code {
        // Access denied, to the server, a database, a table, a column or a right; a host that may not; an account that is
        // locked or whose password is over; a way to sign in that this client or server lacks.
        1044 | 1045 | 1129 | 1130 | 1142 | 1143 | 1227 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118 | 4151 => Class::Auth,
        // Only with TLS.
        3159 | 4001 => Class::Tls,
        // It shuts down, or has ended our session, which by itself says nothing about the server.
        1053 | 1077 | 1079 | 1927 | 4031 => Class::Refused,
        // Of a statement, or of a lock.
        1205 | 1969 | 3024 => Class::Timeout,
        1043 | 1047 => Class::Protocol,
        _ => Class::Condition,
    }
}

/// Whether it is for want of a right, or of the statement itself.
pub(super) fn is_not_for_us(failure: &Failure) -> bool {
    ["ERROR 1227 ", "ERROR 1064 ", "ERROR 1142 "].iter().any(|start| failure.message.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_shown_as_the_servers_own_client_shows_it() {
        let denied = read(b"\xff\x15\x04#28000Access denied for user 'app'@'localhost'").unwrap();
        assert_eq!(denied.to_string(), "ERROR 1045 (28000): Access denied for user 'app'@'localhost'");
        assert_eq!(denied.class, Class::Auth);
        let full = read(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!((full.to_string().as_str(), full.class), ("ERROR 1040: Too many connections", Class::Condition));
        assert_eq!(read(b"\xff\x15"), None);
        assert_eq!(read(b"\x00"), None);
    }
}
