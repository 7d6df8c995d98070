//! Who is at the other end, and whether they may.

use std::fmt;

/// The other end of a connection, as the kernel knows it (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// `None` where it is in a process namespace that we cannot see.
    pub(super) pid: Option<i32>,
}

impl Peer {
    /// Whether it may tell a process of user `ours` what to do. What root and that user ask for, they could do anyway.
    pub(super) fn may(self, ours: u32) -> bool {
        self.uid == 0 || self.uid == ours
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}", self.uid)?;
        // The kernel gives 0 for a process that it cannot name here.
        self.pid.filter(|pid| *pid > 0).map_or(Ok(()), |pid| write!(f, " pid {pid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_our_own_user_may() {
        let peer = |uid| Peer { uid, pid: Some(123) };
        assert!(peer(0).may(1000) && peer(1000).may(1000) && peer(0).may(0));
        assert!(!peer(1001).may(1000) && !peer(1000).may(0) && !peer(65534).may(1000));
    }

    #[test]
    fn a_peer_is_named_by_user_and_process() {
        assert_eq!(Peer { uid: 0, pid: Some(123) }.to_string(), "uid 0 pid 123");
        assert_eq!(Peer { uid: 7, pid: Some(0) }.to_string(), "uid 7");
    }
}
