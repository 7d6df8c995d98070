//! A port for the program.
//!
//! Picked outside the range that the kernel hands to outgoing connections: inside it, one of them may sit on the port
//! at the moment the program wants to listen, and a connection to a port that nobody listens on may meet itself.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

/// Below are the ports that programs are known by.
const FIRST: u16 = 10_000;

const TRIES: usize = 200;

/// A port that nobody listens on, on IPv4 and on IPv6, other than `given`, which was given away already.
pub(crate) fn pick(given: Option<u16>) -> io::Result<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let candidates = outside(ephemeral(&range));
    let random = || (!candidates.is_empty()).then(|| candidates[fastrand::usize(..candidates.len())]);
    let picked = (0..TRIES).filter_map(|_| random()).find(|port| Some(*port) != given && free(*port));
    // With every port in the range, or taken, the kernel knows best.
    picked.map_or_else(any, Ok)
}

/// Whether `port` can be listened on.
pub(crate) fn free(port: u16) -> bool {
    let taken = |address: SocketAddr| match TcpListener::bind(address) {
        Ok(_) => false,
        // A machine without IPv6 cannot have the port taken there.
        Err(error) => error.kind() == io::ErrorKind::AddrInUse || error.kind() == io::ErrorKind::PermissionDenied,
    };
    !taken((Ipv6Addr::UNSPECIFIED, port).into()) && !taken((Ipv4Addr::UNSPECIFIED, port).into())
}

fn any() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The default of the kernel, where it cannot be read.
fn ephemeral(text: &str) -> RangeInclusive<u16> {
    let mut bounds = text.split_ascii_whitespace().map_while(|bound| bound.parse().ok());
    match (bounds.next(), bounds.next()) {
        (Some(low), Some(high)) => low..=high,
        _ => 32768..=60999,
    }
}

fn outside(ephemeral: RangeInclusive<u16>) -> Vec<u16> {
    (FIRST..=u16::MAX).filter(|port| !ephemeral.contains(port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_inside_the_ephemeral_range_is_picked() {
        let candidates = outside(ephemeral("20000\t60999\n"));
        assert_eq!(candidates.len(), 10_000 + (65_535 - 60_999));
        assert_eq!(ephemeral("nonsense"), 32768..=60999);
        assert!(outside(1024..=u16::MAX).is_empty());
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_free_on_either_family() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!free(v4.local_addr().unwrap().port()));
        let picked = pick(None).unwrap();
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, picked)).unwrap();
        assert!(!free(v6.local_addr().unwrap().port()));
    }
}
