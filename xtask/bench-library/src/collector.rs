//! A collector that takes whatever comes. What it costs is nobody's bill here.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};

/// CPU time that collectors have spent, in nanoseconds.
static SPENT: AtomicU64 = AtomicU64::new(0);

pub(crate) fn spent() -> Duration {
    Duration::from_nanos(SPENT.load(Ordering::Acquire))
}

/// Listens on a port of its own, for as long as the process lives.
pub(crate) fn listen() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port can be had")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // An exporter that goes away ends its connection.
            std::thread::spawn(move || drop(serve(&stream)));
        }
    });
    Ok(address)
}

fn serve(stream: &TcpStream) -> std::io::Result<()> {
    let (mut reader, mut counted) = (BufReader::with_capacity(64 * 1024, stream), 0);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        let spent = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
        let spent = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        SPENT.fetch_add(spent - counted, Ordering::Release);
        counted = spent;
        (&*stream)
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")?;
    }
}
