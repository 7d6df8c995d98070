//! Whose request it is: the client's address behind proxies that may or may not be believed.
//!
//! # Rules
//!
//! - The client is the peer of the socket, unless that peer is in the trusted networks.
//! - Then it is the rightmost entry of `X-Forwarded-For` (or of RFC 7239 `Forwarded`) that is not trusted itself: what
//!   stands left of it was written by somebody who could write anything.
//! - An entry that is no address ends the search: the last good one counts.
//!
//! A header from an address that is not trusted changes nothing (cloudfoundry/gorouter#179, caddy-ratelimit#19).
//!
//! ```
//! use seaworthy_core::address::Trusted;
//!
//! let trusted = Trusted::new(["10.0.0.0/8".parse()?]);
//! let client = |peer: &str, header: &str| trusted.client(peer.parse().unwrap(), [header.as_bytes()], []);
//! assert_eq!(client("10.0.0.1", "6.6.6.6, 192.0.2.7, 10.0.0.9").to_string(), "192.0.2.7");
//! assert_eq!(client("203.0.113.5", "192.0.2.7").to_string(), "203.0.113.5");
//! # Ok::<(), ipnet::AddrParseError>(())
//! ```

use std::net::{IpAddr, SocketAddr};

pub use ipnet::IpNet;

/// By these headers a proxy says that it asks for somebody else: who connects from this machine need not be on it.
pub const BY_PROXY: [&str; 4] = ["x-forwarded-for", "forwarded", "via", "x-real-ip"];

/// The networks whose word on the client's address is taken.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Box<[IpNet]>);

impl Trusted {
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether `address` is in one of the networks.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 client of a dual-stack socket arrives as ::ffff:a.b.c.d.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client of a request that came from `peer`, with the values of its `X-Forwarded-For` and `Forwarded`
    /// headers in the order in which they stood.
    ///
    /// `X-Forwarded-For` is preferred where both stand, because it is what balancers append to.
    #[must_use]
    pub fn client<'a, F, R>(&self, peer: IpAddr, forwarded_for: F, forwarded: R) -> IpAddr
    where
        F: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
        R: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
    {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let mut client = peer;
        let mut seen = false;
        for entry in entries(forwarded_for) {
            seen = true;
            match self.step(parse_entry(entry), &mut client) {
                Step::Further => {}
                Step::Found => return client,
            }
        }
        if seen {
            return client;
        }
        for entry in entries(forwarded) {
            if let Step::Found = self.step(for_parameter(entry), &mut client) {
                return client;
            }
        }
        client
    }

    fn step(&self, entry: Option<IpAddr>, client: &mut IpAddr) -> Step {
        match entry {
            Some(address) => {
                *client = address;
                if self.contains(address) { Step::Further } else { Step::Found }
            }
            None => Step::Found,
        }
    }
}

enum Step {
    Further,
    Found,
}

/// The comma-separated entries of all `values`, the last first.
fn entries<'a>(
    values: impl IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
) -> impl Iterator<Item = &'a [u8]> {
    values.into_iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','))
}

/// An address as `X-Forwarded-For` writes it: bare, in brackets, or with a port.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim().trim_matches('"');
    let address = entry.parse::<IpAddr>().ok();
    let address = address.or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let address = address.or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

/// The `for=` of one element of `Forwarded`.
fn for_parameter(element: &[u8]) -> Option<IpAddr> {
    let named = |pair: &&[u8]| pair.trim_ascii().get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"for="));
    let pair = element.split(|byte| *byte == b';').find(named)?;
    parse_entry(&pair.trim_ascii()[4..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(peer: &str, forwarded_for: &[&str], forwarded: &[&str]) -> String {
        let trusted = Trusted::new(["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let bytes = |values: &[&'static str]| values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>();
        let leak =
            |values: &[&str]| values.iter().map(|value| &*value.to_string().leak()).collect::<Vec<&'static str>>();
        let (forwarded_for, forwarded) = (bytes(&leak(forwarded_for)), bytes(&leak(forwarded)));
        trusted.client(peer.parse().unwrap(), forwarded_for, forwarded).to_string()
    }

    #[test]
    fn a_header_from_a_stranger_changes_nothing() {
        assert_eq!(client("203.0.113.5", &["1.2.3.4"], &["for=1.2.3.4"]), "203.0.113.5");
    }

    #[test]
    fn what_the_client_wrote_before_the_proxy_is_not_believed() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "6.6.6.6, 192.0.2.7"], &[]), "192.0.2.7");
    }

    #[test]
    fn a_chain_of_proxies_of_ours_leads_to_the_one_before_them() {
        assert_eq!(client("10.0.0.1", &["192.0.2.7, 10.9.9.9", "10.8.8.8"], &[]), "192.0.2.7");
        assert_eq!(client("10.0.0.1", &["10.9.9.9"], &[]), "10.9.9.9");
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_search() {
        assert_eq!(client("10.0.0.1", &["192.0.2.7, unknown, 10.8.8.8"], &[]), "10.8.8.8");
    }

    #[test]
    fn ports_and_brackets_are_understood() {
        assert_eq!(client("10.0.0.1", &["192.0.2.7:4711"], &[]), "192.0.2.7");
        assert_eq!(client("fd00::1", &["[2001:db8::7]:4711"], &[]), "2001:db8::7");
        assert_eq!(client("::ffff:10.0.0.1", &["192.0.2.7"], &[]), "192.0.2.7");
    }

    #[test]
    fn the_standard_header_is_read_where_the_usual_one_is_missing() {
        assert_eq!(client("10.0.0.1", &[], &[r#"for="[2001:db8::7]:4711";proto=https, for=10.2.2.2"#]), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &["192.0.2.7"], &["for=1.1.1.1"]), "192.0.2.7");
    }

    proptest! {
        #[test]
        fn no_header_makes_a_stranger_somebody_else(header in ".*") {
            prop_assert_eq!(client("203.0.113.5", &[&header], &[&header]), "203.0.113.5");
        }

        #[test]
        fn no_header_makes_it_panic(header in "[0-9a-f:.,;=\\[\\]\" ]*") {
            let _ = client("10.0.0.1", &[&header], &[]);
            let _ = client("10.0.0.1", &[], &[&header]);
        }
    }
}
