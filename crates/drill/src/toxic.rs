//! A TCP proxy that fails as networks and dependencies do, between a program and what it depends on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// What the proxy does to connections, those that are open included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toxic {
    /// Passes everything on.
    None,
    /// Accepts, and resets at once; open connections are reset.
    Reset,
    /// Takes everything and gives nothing, for ever.
    BlackHole,
    /// Holds each piece of an answer for so long.
    Latency(Duration),
    /// Passes so many bytes a second.
    Bandwidth(u32),
    /// Passes bytes one by one.
    Slicer,
    /// Ends connections so long after the other side did.
    SlowClose(Duration),
}

/// A proxy in front of one dependency. Dropping it ends its connections.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    toxic: watch::Sender<Toxic>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a loopback port in front of `upstream` (`host:port`).
    pub(crate) async fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
        let address = listener.local_addr()?;
        let toxic = watch::Sender::new(Toxic::None);
        let accepted = Arc::new(AtomicUsize::new(0));
        let (state, count) = (toxic.subscribe(), accepted.clone());
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    sleep(Duration::from_millis(10)).await;
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                open.spawn(carry(client, upstream, state.clone()));
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, toxic, accepted, task })
    }

    pub(crate) fn set(&self, toxic: Toxic) {
        self.toxic.send_replace(toxic);
    }

    /// Connections ever accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, upstream: SocketAddr, toxic: watch::Receiver<Toxic>) {
    let mut reset = toxic.clone();
    let now = *toxic.borrow();
    if now == Toxic::Reset {
        return abort(&client);
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return abort(&client) };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    // Kept aside, so that a reset can be sent while both halves are in use.
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let up = pump(client_read, server_write, toxic.clone(), false);
    let down = pump(server_read, client_write, toxic.clone(), true);
    let both = async { tokio::join!(up, down) };
    tokio::select! {
        _ = both => {}
        _ = reset.wait_for(|toxic| *toxic == Toxic::Reset) => {}
    }
}

/// RST instead of FIN.
fn abort(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut toxic: watch::Receiver<Toxic>,
    answers: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut slices = 0;
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        if read == 0 {
            let now = *toxic.borrow();
            if let Toxic::SlowClose(wait) = now {
                sleep(wait).await;
            }
            let _ = to.shutdown().await;
            return;
        }
        // What comes into a black hole is held until it is none any more.
        if toxic.wait_for(|toxic| *toxic != Toxic::BlackHole).await.is_err() {
            return;
        }
        let now = *toxic.borrow();
        let piece = match now {
            Toxic::Slicer if slices < 40 => 1,
            Toxic::Bandwidth(rate) => (rate as usize / 20).max(1),
            _ => read,
        };
        if let (Toxic::Latency(wait), true) = (now, answers) {
            sleep(wait).await;
        }
        for part in buffer[..read].chunks(piece) {
            if to.write_all(part).await.is_err() {
                return;
            }
            match now {
                Toxic::Bandwidth(_) => sleep(Duration::from_millis(50)).await,
                // Without a pause the kernel would put the bytes together again. After a line or so the point is made.
                Toxic::Slicer if slices < 40 => {
                    slices += 1;
                    sleep(Duration::from_millis(5)).await;
                }
                _ => {}
            }
        }
    }
}

/// Where the value of a variable points, and the same value with another address in its place.
pub(crate) fn redirect(value: &str, to: SocketAddr) -> Option<(String, u16, String)> {
    let start = value.find("://").map_or(0, |at| at + 3);
    let end = value[start..].find(['/', '?', '#']).map_or(value.len(), |at| start + at);
    let authority = &value[start..end];
    let host_start = authority.rfind('@').map_or(0, |at| at + 1);
    let host_port = &authority[host_start..];
    let scheme = value[..start].trim_end_matches("://");
    let default = match scheme {
        "postgres" | "postgresql" => Some(5432),
        "redis" => Some(6379),
        "mysql" | "mariadb" => Some(3306),
        "amqp" => Some(5672),
        "mongodb" => Some(27017),
        "http" => Some(80),
        _ => None,
    };
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (host_port, default?),
    };
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() || host.contains(',') {
        return None;
    }
    let changed = format!("{}{}{to}{}", &value[..start], &authority[..host_start], &value[end..]);
    Some((host.to_owned(), port, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_in_a_value_is_changed() {
        let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let of = |value: &str| redirect(value, to);
        let found = of("postgres://app:pw@db.internal/orders?sslmode=disable").unwrap();
        assert_eq!(found, ("db.internal".into(), 5432, "postgres://app:pw@127.0.0.1:9/orders?sslmode=disable".into()));
        assert_eq!(of("localhost:6000").unwrap(), ("localhost".into(), 6000, "127.0.0.1:9".into()));
        assert_eq!(of("redis://[::1]:6379/0").unwrap().0, "::1");
        for bad in ["", "host", "mongodb://a,b:1/x"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_black_hole_holds_what_comes_and_gives_it_back_when_it_is_over() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        proxy.set(Toxic::BlackHole);
        stream.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 5];
        let early = tokio::time::timeout(Duration::from_millis(100), stream.read_exact(&mut buffer)).await;
        assert!(early.is_err(), "nothing passes");
        proxy.set(Toxic::None);
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"hello");
        assert_eq!(proxy.accepted(), 1);
    }

    #[tokio::test]
    async fn slices_and_a_narrow_band_lose_no_byte() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        for toxic in [Toxic::Slicer, Toxic::Bandwidth(100_000), Toxic::Latency(Duration::from_millis(20))] {
            proxy.set(toxic);
            let mut stream = TcpStream::connect(proxy.address).await.unwrap();
            let sent: Vec<u8> = (0..2000_u32).map(|n| (n % 251) as u8).collect();
            stream.write_all(&sent).await.unwrap();
            let mut back = vec![0; sent.len()];
            stream.read_exact(&mut back).await.unwrap();
            assert_eq!(back, sent, "{toxic:?}");
        }
    }

    #[tokio::test]
    async fn a_reset_ends_what_is_open_and_what_is_new() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut open = TcpStream::connect(proxy.address).await.unwrap();
        open.write_all(b"x").await.unwrap();
        let mut buffer = [0; 1];
        open.read_exact(&mut buffer).await.unwrap();
        proxy.set(Toxic::Reset);
        assert!(matches!(open.read(&mut buffer).await, Ok(0) | Err(_)));
        let mut new = TcpStream::connect(proxy.address).await.unwrap();
        assert!(new.read(&mut buffer).await.is_err(), "a reset, not an end");
    }

    #[test]
    fn fuzz_a_value_keeps_all_but_its_address() {
        let to: SocketAddr = "127.0.0.1:1".parse().unwrap();
        seaworthy_fuzz::drive_text("dependency", |value| {
            if let Some((host, _, changed)) = redirect(value, to) {
                assert!(!host.is_empty() && changed.contains("127.0.0.1:1"), "{changed}");
            }
        });
    }
}
