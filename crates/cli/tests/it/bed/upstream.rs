//! An upstream that behaves as badly as a test wants it to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Listens on loopback, and does the same to each connection that sends a head.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// `act` gets each connection once the head of a request has come over it; what it returns is sent before the
    /// connection is dropped.
    pub(crate) fn new(act: impl Fn(&mut TcpStream) -> &'static [u8] + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (act, counted) = (Arc::new(act), connections.clone());
        // Both kinds of threads end with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (act, counted) = (act.clone(), counted.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    let mut line = String::new();
                    // Whoever only looks whether somebody listens sends nothing.
                    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                        line.clear();
                    }
                    if line.is_empty() {
                        return;
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                    let mut stream = reader.into_inner();
                    let last = act(&mut stream);
                    let _ = stream.write_all(last);
                });
            }
        });
        Self { address, connections }
    }

    /// Sends `answer` and closes.
    pub(crate) fn answering(answer: &'static [u8]) -> Self {
        Self::new(move |_| answer)
    }

    /// Reads a head and then does nothing until the other side leaves.
    pub(crate) fn silent() -> Self {
        Self::new(|stream| {
            let _ = std::io::copy(stream, &mut std::io::sink());
            b""
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections brought a request.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
