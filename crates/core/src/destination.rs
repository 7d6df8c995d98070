//! Which addresses calls may go to: public ones, and those that somebody named.
//!
//! Whoever can choose a URL, or the address of a name (DNS rebinding), could otherwise have us ask what stands inside of a
//! network: the metadata service of a cloud, a database, an admin page of ours. Ask with the address that will be connected
//! to, after the name was resolved.
//!
//! What is public is what IANA's registries of special-purpose addresses leave (RFC 6890):
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>.
//!
//! ```
//! use seaworthy_core::destination::Destinations;
//!
//! let named = Destinations::new(["10.1.0.0/16".parse()?]);
//! assert!(named.permits("10.1.2.3".parse()?));
//! assert!(!named.permits("169.254.169.254".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Public addresses, and networks that were named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destinations {
    named: Vec<IpNet>,
}

impl Destinations {
    pub fn new(named: impl IntoIterator<Item = IpNet>) -> Self {
        Self { named: named.into_iter().collect() }
    }

    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.named.iter().any(|network| network.contains(&address))
    }
}

/// Whether an address is one of the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let octets = address.octets();
    // This network; private; shared by carriers; loopback; link-local.
    let inside = matches!(
        octets,
        [0 | 10 | 127, ..] | [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..]
    );
    // Assignments of protocols; documentation; benchmarks; what was 6to4's.
    let special = matches!(
        octets,
        [192, 0, 0 | 2, _] | [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _]
    );
    // Multicast, reserved, broadcast.
    let beyond = octets[0] >= 224;
    !(inside || special || beyond)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |at: usize| {
        let octets = address.octets();
        is_public_v4(Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]))
    };
    match segments {
        // Translated by NAT64, and by 6to4: as public as the address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(12),
        [0x2002, ..] => embedded(2),
        // Assignments of protocols, Teredo among them; documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast is all that is public.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_inside_of_a_network_is_not_public_however_it_is_written() {
        for inside in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address(inside)), "{inside}");
        }
    }

    #[test]
    fn the_public_internet_is() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "172.15.255.255",
            "172.32.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(address(public)), "{public}");
        }
    }

    #[test]
    fn a_named_network_is_permitted_and_its_neighbour_is_not() {
        let named = Destinations::new(["10.1.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()]);
        for (text, permitted) in
            [("10.1.255.1", true), ("::ffff:10.1.0.1", true), ("10.2.0.1", false), ("::1", true), ("1.1.1.1", true)]
        {
            assert_eq!(named.permits(address(text)), permitted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_as_public_as_its_mapped_form(bits in any::<u32>()) {
            let plain = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_public(plain.into()), is_public(plain.to_ipv6_mapped().into()));
        }
    }
}
