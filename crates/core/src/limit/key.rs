//! Whom a limit is about.

use std::net::IpAddr;

/// Whom a limit is about: 128 bits, so that each key needs as much memory as every other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub(super) [u64; 2]);

impl Key {
    /// A client by its address. IPv6 by its /64: that is what one customer is given (RFC 6177), who would have as many
    /// allowances as he likes by the address.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            // The first word tells the kinds of keys apart.
            IpAddr::V4(address) => Self([4, u64::from(address.to_bits())]),
            IpAddr::V6(address) => Self([6, u64::try_from(address.to_bits() >> 64).unwrap_or(u64::MAX)]),
        }
    }

    /// Any text, by a hash of it that nobody can guess: 127 bits, so that two of a million share one with a probability below
    /// one in 10²⁶.
    #[must_use]
    pub fn hashed(hash: [u64; 2]) -> Self {
        let [first, second] = hash;
        Self([first | 1 << 63, second])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> Key {
        Key::address(address.parse().unwrap())
    }

    #[test]
    fn an_address_of_version_six_stands_for_its_network() {
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
    }

    #[test]
    fn an_address_of_version_four_is_the_same_however_it_came() {
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn no_text_is_an_address() {
        assert_ne!(Key::hashed([4, 1]), key("0.0.0.1"));
    }
}
