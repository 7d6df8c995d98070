//! Who listens where, by `proc_net_tcp(5)` and the descriptors of processes.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::process::Pid;

/// A listening TCP socket of this network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    pub(crate) inode: u64,
}

impl Listening {
    /// Whether a connection to this machine's loopback reaches it.
    pub(crate) fn on_loopback(&self) -> bool {
        let ip = self.address.ip().to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    }
}

/// All of them, as far as they may be seen.
pub(crate) fn listening() -> Vec<Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|table| fs::read_to_string(table).ok());
    tables.flat_map(|table| table.lines().skip(1).filter_map(listening_of).collect::<Vec<_>>()).collect()
}

/// The inodes of the sockets that a process holds; `None` when that may not be seen.
pub(crate) fn held_by(pid: Pid) -> Option<HashSet<u64>> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let inode_of =
        |link: std::path::PathBuf| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok();
    Some(descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).filter_map(inode_of).collect())
}

fn listening_of(line: &str) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listening { address: (ip_of(ip)?, port).into(), inode: fields.get(9)?.parse().ok()? })
}

/// Words of 32 bits, each in the byte order of the machine.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at * 8)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_socket_of_ours_is_found_with_its_address_and_among_our_descriptors() {
        for ip in ["127.0.0.1", "[::1]", "[::]"] {
            let listener = TcpListener::bind(format!("{ip}:0")).unwrap();
            let address = listener.local_addr().unwrap();
            let found = listening().into_iter().find(|listening| listening.address == address).expect("listed");
            assert!(held_by(rustix::process::getpid()).unwrap().contains(&found.inode));
            assert!(found.on_loopback());
        }
    }

    #[test]
    fn a_connection_does_not_listen_and_half_a_line_is_nothing() {
        let connected =
            " 1: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000 0 0 4712 1 0 100 0 0";
        assert_eq!(listening_of(connected), None);
        assert_eq!(listening_of("  0: 0100007F:1F90 00000000:0000 0A"), None);
        assert_eq!(ip_of("0100"), None);
    }

    #[test]
    fn an_address_of_another_interface_is_not_on_loopback() {
        let listening = |address: &str| Listening { address: address.parse().unwrap(), inode: 0 };
        assert!(!listening("10.0.0.5:80").on_loopback());
        assert!(listening("[::ffff:127.0.0.1]:80").on_loopback());
    }
}
