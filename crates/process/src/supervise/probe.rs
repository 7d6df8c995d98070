//! Asks the program something over a connection of its own.

use std::future::ready;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use http::StatusCode;
use tokio::net::TcpStream;

use crate::ask::{AskError, Question};
use crate::config::Protocol;

/// Connects to `port` on this machine, by IPv4 or IPv6.
pub(super) async fn connect(port: u16) -> io::Result<(SocketAddr, TcpStream)> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let refused = match connect_to(v4).await {
        Ok(stream) => return Ok((v4, stream)),
        Err(error) => error,
    };
    // Without IPv6 on the machine the first error says more.
    connect_to(v6).await.map(|stream| (v6, stream)).map_err(|_| refused)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Nobody listens, but the kernel gave our end the very port that we connect to, and it answers itself.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// The status with which a GET of `path` is answered. The body is not read.
pub(super) async fn get(
    address: SocketAddr,
    stream: TcpStream,
    path: &str,
    protocol: Protocol,
) -> Result<StatusCode, AskError> {
    let http2 = protocol == Protocol::H2c;
    Question { path, accept: None }.ask_over(stream, Some(address.port()), http2, |answer| ready(answer.status())).await
}
