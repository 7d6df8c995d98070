//! Who listens where, by `proc_net_tcp(5)` and the descriptors of processes.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::process::Pid;

/// States of a socket.
const LISTEN: &str = "0A";
const SYN_RECV: &str = "03";

/// A listening TCP socket of this network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    pub address: SocketAddr,
    pub inode: u64,
}

impl Listening {
    /// Whether a connection to this machine's loopback reaches it.
    pub fn on_loopback(&self) -> bool {
        let ip = self.address.ip().to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    }
}

/// All of them, as far as they may be seen.
pub fn listening() -> Vec<Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter_map(|table| File::open(table).ok());
    tables.flat_map(|table| listening_in(BufReader::new(table))).collect()
}

/// The kernel lists those that listen first, then all connections; to have it go through these too takes tens of
/// milliseconds on a machine that has many. Older ones list half-open connections with the socket that will accept them.
fn listening_in(table: impl BufRead) -> Vec<Listening> {
    let lines = table.lines().skip(1).map_while(Result::ok);
    let may_listen = |line: &String| matches!(state_of(line), Some(LISTEN | SYN_RECV));
    lines.take_while(may_listen).filter_map(|line| listening_of(&line)).collect()
}

/// The inodes of the sockets that a process holds; `None` when that may not be seen.
pub fn held_by(pid: Pid) -> Option<HashSet<u64>> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let inode_of =
        |link: std::path::PathBuf| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok();
    Some(descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).filter_map(inode_of).collect())
}

/// `nginx (pid 17)`: who listens on `port`, where that may be seen. For the error of whoever wants it too.
pub fn holder_of(port: u16) -> Option<String> {
    let inodes: HashSet<u64> = listening()
        .iter()
        .filter(|listening| listening.address.port() == port)
        .map(|listening| listening.inode)
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    let mut pids = processes.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?));
    let holder = pids.find(|pid| held_by(*pid).is_some_and(|held| !held.is_disjoint(&inodes)))?;
    let name = fs::read_to_string(format!("/proc/{holder}/comm")).unwrap_or_default();
    Some(format!("{} (pid {holder})", name.trim()))
}

fn state_of(line: &str) -> Option<&str> {
    line.split_ascii_whitespace().nth(3)
}

fn listening_of(line: &str) -> Option<Listening> {
    if state_of(line)? != LISTEN {
        return None;
    }
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
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
            let holder = holder_of(address.port()).expect("it is ours");
            assert!(holder.ends_with(&format!(" (pid {})", std::process::id())), "{holder}");
        }
    }

    #[test]
    fn connections_are_not_read_once_they_begin() {
        let of =
            |state: &str, port: &str| format!("0: 0100007F:{port} 00000000:0000 {state} 0:0 00:0 0 0 0 47{port} 1\n");
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let table =
            [head, &of("0A", "0050"), &of("03", "0050"), &of("0A", "0051"), &of("01", "0050"), &of("0A", "0052")];
        let ports: Vec<u16> = listening_in(table.concat().as_bytes()).iter().map(|l| l.address.port()).collect();
        assert_eq!(ports, [0x50, 0x51]);
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

    #[test]
    fn fuzz_any_table_of_sockets_is_read() {
        seaworthy_fuzz::drive("proc-net-tcp", |table| {
            let lines = table.split(|byte| *byte == b'\n').count();
            assert!(listening_in(table).len() < lines);
        });
    }
}
