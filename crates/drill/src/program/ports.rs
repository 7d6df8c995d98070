//! Free ports for instances.

use std::net::TcpListener;

use super::StartError;

/// Below the range that the kernel takes ports for outgoing connections from (32768 by default), so that no
/// connection of the load takes the port of an instance that is about to start.
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// A port that nobody listens on, on either loopback address.
pub(crate) fn free() -> Result<u16, StartError> {
    for _ in 0..200 {
        let port = fastrand::u16(RANGE);
        let v4 = TcpListener::bind(("127.0.0.1", port));
        let v6 = TcpListener::bind(("::1", port));
        // A machine without IPv6 has no address to be in use there.
        let v6_free = v6.map_or_else(|error| error.kind() != std::io::ErrorKind::AddrInUse, |_| true);
        if v4.is_ok() && v6_free {
            return Ok(port);
        }
    }
    Err(StartError::Spawn {
        program: "an instance".to_owned(),
        error: "no free port between 20000 and 29999".to_owned(),
    })
}
