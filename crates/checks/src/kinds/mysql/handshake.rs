//! The first packets of both sides.

use std::ops::{BitAnd, BitOr};

use super::password::Method;
use crate::cursor::Cursor;

/// What a side can do, and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abilities(u32);

impl Abilities {
    const LONG_PASSWORD: Self = Self(1);
    const CONNECT_WITH_DATABASE: Self = Self(1 << 3);
    const PROTOCOL_41: Self = Self(1 << 9);
    pub(super) const TLS: Self = Self(1 << 11);
    const TRANSACTIONS: Self = Self(1 << 13);
    const SECURE_CONNECTION: Self = Self(1 << 15);
    const METHODS: Self = Self(1 << 19);

    /// What a server must be able to; MySQL 4.1 could.
    pub(super) const NEEDED: Self = Self(Self::PROTOCOL_41.0 | Self::SECURE_CONNECTION.0);

    pub(super) fn has(self, other: Self) -> bool {
        (self & other) == other
    }
}

impl BitAnd for Abilities {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Abilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What the server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) version: String,
    pub(super) abilities: Abilities,
    pub(super) challenge: Vec<u8>,
    /// How it would like to be convinced. `None` where we know no such way.
    pub(super) method: Option<Method>,
}

impl Greeting {
    /// Reads protocol version 10, which is the only one since 1998.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(packet);
        if cursor.byte()? != 10 {
            return None;
        }
        let version = String::from_utf8_lossy(cursor.until(0)?).into_owned();
        let _session = cursor.take(4)?;
        let mut challenge = cursor.take(8)?.to_vec();
        let _zero = cursor.byte()?;
        let low = u16::from_le_bytes(cursor.array()?);
        let _character_set_and_status = cursor.take(3)?;
        let high = u16::from_le_bytes(cursor.array()?);
        let length = usize::from(cursor.byte()?);
        let _reserved = cursor.take(10)?;
        // The rest of the challenge, and a zero that is none of it.
        let rest = cursor.take(length.saturating_sub(8).max(13))?;
        challenge.extend_from_slice(&rest[..12]);
        let abilities = Abilities(u32::from(high) << 16 | u32::from(low));
        let name = if abilities.has(Abilities::METHODS) { cursor.until(0).unwrap_or(cursor.0) } else { b"" };
        let method = if name.is_empty() { Some(Method::Native) } else { Method::of(name) };
        Some(Self { version, abilities, challenge, method })
    }
}

/// Who signs in, where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) database: Option<&'a str>,
    pub(super) with_tls: bool,
}

/// The largest packet that we take.
const LARGEST: u32 = 1024 * 1024;

/// `utf8mb4_general_ci`.
const CHARACTER_SET: u8 = 45;

impl Login<'_> {
    fn abilities(self) -> Abilities {
        let mut abilities = Abilities::LONG_PASSWORD | Abilities::NEEDED | Abilities::TRANSACTIONS | Abilities::METHODS;
        if self.database.is_some() {
            abilities = abilities | Abilities::CONNECT_WITH_DATABASE;
        }
        if self.with_tls {
            abilities = abilities | Abilities::TLS;
        }
        abilities
    }

    /// What is said before TLS begins, and again after it.
    pub(super) fn head(self) -> Vec<u8> {
        let mut packet = Vec::with_capacity(128);
        packet.extend_from_slice(&self.abilities().0.to_le_bytes());
        packet.extend_from_slice(&LARGEST.to_le_bytes());
        packet.push(CHARACTER_SET);
        packet.extend_from_slice(&[0; 23]);
        packet
    }

    /// Answers the greeting with a proof, which is never longer than a byte can count.
    pub(super) fn answer(self, method: Method, proof: &[u8]) -> Vec<u8> {
        let mut packet = self.head();
        zero_ended(&mut packet, self.user);
        packet.push(u8::try_from(proof.len()).unwrap_or(0));
        packet.extend_from_slice(proof);
        if let Some(database) = self.database {
            zero_ended(&mut packet, database);
        }
        zero_ended(&mut packet, method.name());
        packet
    }
}

fn zero_ended(packet: &mut Vec<u8>, text: &str) {
    packet.extend_from_slice(text.as_bytes());
    packet.push(0);
}

/// What the server says to a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Welcome,
    /// Another method, with another challenge.
    Instead {
        method: &'a [u8],
        challenge: &'a [u8],
    },
    /// The password was right; the welcome follows.
    Known,
    /// The proof alone does not do: it wants the password.
    InFull,
}

impl<'a> Verdict<'a> {
    pub(super) fn read(packet: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(packet);
        match cursor.byte()? {
            0 => Some(Self::Welcome),
            1 => match cursor.byte()? {
                3 => Some(Self::Known),
                4 => Some(Self::InFull),
                _ => None,
            },
            0xfe => {
                let method = cursor.until(0)?;
                let challenge = cursor.0.strip_suffix(b"\0").unwrap_or(cursor.0);
                Some(Self::Instead { method, challenge })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What MariaDB 10.11 said on a socket.
    pub(super) const MARIADB: &[u8] =
        b"\x0a5.5.5-10.11.6-MariaDB\x00\x04\x00\x00\x00abcdefgh\x00\xfe\xf7\x2d\x02\x00\xff\x81\
        \x15\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0";

    #[test]
    fn the_greeting_of_a_server_is_taken_apart() {
        let greeting = Greeting::read(MARIADB).unwrap();
        assert_eq!(greeting.version, "5.5.5-10.11.6-MariaDB");
        assert_eq!(greeting.challenge, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.method, Some(Method::Native));
        assert!(greeting.abilities.has(Abilities::NEEDED) && !greeting.abilities.has(Abilities::TLS));
        for length in 0..60 {
            assert_eq!(Greeting::read(&MARIADB[..length]), None, "{length} bytes of it");
        }
    }

    #[test]
    fn verdicts_are_told_apart() {
        assert_eq!(Verdict::read(b"\x00\x00\x00"), Some(Verdict::Welcome));
        assert_eq!(Verdict::read(b"\x01\x03"), Some(Verdict::Known));
        assert_eq!(Verdict::read(b"\x01\x04"), Some(Verdict::InFull));
        let instead = Verdict::Instead { method: b"mysql_native_password", challenge: b"abc" };
        assert_eq!(Verdict::read(b"\xfemysql_native_password\0abc\0"), Some(instead));
        assert_eq!(Verdict::read(b"\xfe"), None);
    }

    proptest! {
        #[test]
        fn garbage_is_nothing_and_never_a_panic(garbage in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = (Greeting::read(&garbage), Verdict::read(&garbage));
        }
    }

    #[test]
    fn fuzz_any_greeting_and_any_verdict_is_read_or_refused() {
        seaworthy_fuzz::drive("mysql-greeting", |packet| {
            if let Some(greeting) = Greeting::read(packet) {
                assert!(greeting.challenge.len() < packet.len());
            }
            let _ = Verdict::read(packet);
        });
    }
}
