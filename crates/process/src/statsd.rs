//! What the program says by `StatsD` becomes metrics, so that services in every language have their own.
//!
//! # Rules
//!
//! - A thread of its own listens: a flood of packets delays neither a request nor a probe.
//! - Nothing that comes is fatal. What is malformed or beyond a limit is counted by why.
//! - The limits are those of all families: `metrics.max-series` series in one; there are at most 1,000 of them, with 100,000 series together.

mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use seaworthy::core::metric::Exposition;

use crate::config::Address;
use crate::gateway::{BindError, Bound};
use store::Store;

/// The longest datagram (RFC 768), and so the longest packet.
const LONGEST: usize = 65_535;

/// Room for bursts. The kernel grants no more than `net.core.rmem_max`.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Programs run as other users: whoever reaches the directory may send, and nobody else may listen.
const MODE: u32 = 0o722;

/// Listens for packets. What was counted stays when it is dropped; a socket in the file system goes.
#[derive(Debug)]
pub(crate) struct StatsD {
    bound: Bound,
    store: Arc<Store>,
    path: Option<PathBuf>,
}

/// A socket that is bound.
#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl StatsD {
    /// Listens at `address`, for as long as the process lives.
    pub(crate) fn start(address: &Address, max_series: usize) -> Result<Self, BindError> {
        let (socket, bound) = match address {
            Address::Tcp(address) => udp(*address)?,
            Address::Unix(path) => unix(path)?,
        };
        let store = Arc::new(Store::new(max_series));
        let counted = store.clone();
        let listen = move || listen(&socket, &counted);
        std::thread::Builder::new()
            .name("statsd".to_owned())
            .spawn(listen)
            .map_err(|source| BindError::Other { address: bound.to_string(), source })?;
        let path = match &bound {
            Bound::Unix(path) => Some(path.clone()),
            Bound::Tcp(_) => None,
        };
        Ok(Self { bound, store, path })
    }

    /// Where it listens.
    pub(crate) fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Writes what was counted; for [`collect`](seaworthy::metrics::Metrics::collect).
    pub(crate) fn page(&self) -> impl Fn(&mut Exposition) + Send + Sync + 'static {
        let store = self.store.clone();
        move |page| store.write(page, Instant::now())
    }
}

impl Drop for StatsD {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Somebody may have tidied up before us.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn udp(address: SocketAddr) -> Result<(Socket, Bound), BindError> {
    let socket = UdpSocket::bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address: format!("udp:{address}"), holder: String::new() },
        _ => BindError::Other { address: format!("udp:{address}"), source },
    })?;
    widen(&socket);
    let bound = Bound::Tcp(socket.local_addr().unwrap_or(address));
    Ok((Socket::Udp(socket), bound))
}

/// Binds a unix socket. One that a dead process left is replaced.
fn unix(path: &Path) -> Result<(Socket, Bound), BindError> {
    let address = || format!("unix:{}", path.display());
    let other = |source| BindError::Other { address: address(), source };
    if path.exists() {
        if UnixDatagram::unbound().and_then(|socket| socket.connect(path)).is_ok() {
            return Err(BindError::InUse { address: address(), holder: " by another process".to_owned() });
        }
        std::fs::remove_file(path).map_err(other)?;
    }
    let socket = UnixDatagram::bind(path).map_err(other)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(other)?;
    widen(&socket);
    Ok((Socket::Unix(socket), Bound::Unix(path.to_owned())))
}

/// More room for what comes at once; less is no reason not to listen.
fn widen(socket: impl AsFd) {
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER);
}

/// The body of the thread.
fn listen(socket: &Socket, store: &Store) {
    let mut packet = vec![0; LONGEST];
    loop {
        let received = match socket {
            Socket::Udp(socket) => socket.recv(&mut packet),
            Socket::Unix(socket) => socket.recv(&mut packet),
        };
        match received {
            Ok(length) => store.packet(&packet[..length], Instant::now()),
            // An error that a datagram of somebody's left behind (ICMP) is gone with the next look.
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused) => {}
            Err(_) => return,
        }
    }
}
